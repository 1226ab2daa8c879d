#include "core/json.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "core/json_fault.h"
#include "core/source_text.h"
#include "core/utf8.h"

namespace tpsim {

namespace {

// Characters of the text for the lexer; `read` counts what it has taken.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  std::size_t* read;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    ++at;
    ++*read;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at == other.at; }
};

// NaN, Infinity and -Infinity as Python writes them. The lexer sees a zero of the same width in their place.
struct SpecialNumber {
  std::size_t begin, end;
  double value;
};

struct PlainText {
  std::string text;
  std::vector<SpecialNumber> specials;  // in order of the text
};

bool in_word(char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The special number that starts at `offset`: its length and value.
std::optional<std::pair<std::size_t, double>> special_at(std::string_view text, std::size_t offset) {
  using Limits = std::numeric_limits<double>;
  constexpr std::pair<std::string_view, double> kSpecials[] = {
      {"NaN", Limits::quiet_NaN()}, {"Infinity", Limits::infinity()}, {"-Infinity", -Limits::infinity()}};
  if (offset > 0 && in_word(text[offset - 1])) return std::nullopt;
  for (const auto& [word, value] : kSpecials) {
    const std::size_t end = offset + word.size();
    if (text.substr(offset, word.size()) == word && (end == text.size() || !in_word(text[end]))) {
      return std::pair{word.size(), value};
    }
  }
  return std::nullopt;
}

// None where the text has no special number, as nearly always.
std::optional<PlainText> replace_specials(std::string_view text) {
  if (text.find("NaN") == std::string_view::npos && text.find("Infinity") == std::string_view::npos)
    return std::nullopt;
  PlainText plain{std::string(text), {}};
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      const auto special = special_at(text, i);
      if (!special) continue;
      plain.specials.push_back({i, i + special->first, special->second});
      plain.text.replace(i, special->first, "0" + std::string(special->first - 1, ' '));
      i += special->first - 1;
    }
  }
  return plain;
}

// "[json.exception...] parse error at ...: ... - invalid string: REASON; last read: ..." -> "invalid string: REASON".
std::string lexer_complaint(const std::string& what) {
  if (what.find("out_of_range") != std::string::npos) return "a number is out of range of a double";
  const std::size_t begin = what.find(" - invalid ");
  if (begin == std::string::npos) return {};
  return what.substr(begin + 3, what.find("; last read", begin) - begin - 3);
}

// Keys in messages: at most 80 bytes, whole characters.
std::string shortened(std::string name) {
  if (name.size() <= 80) return name;
  name.resize(80);
  if (const auto cut = find_invalid_utf8(name)) name.resize(*cut);
  return name + "...";
}

// Receives the events of the parser and builds the value on a stack of its own, so nesting costs no recursion.
class ValueBuilder {
public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  ValueBuilder(std::string_view text, const std::string& file, const JsonLimits& limits, const std::size_t& read,
               const std::vector<SpecialNumber>& specials)
      : text_(text), file_(file), limits_(limits), read_(read), specials_(specials) {}

  bool null() { return add(Value{nullptr}); }
  bool boolean(bool b) { return add(Value{b}); }
  bool number_integer(number_integer_t i) { return add_number(Value{std::int64_t{i}}); }
  bool number_unsigned(number_unsigned_t u) {
    const bool fits = u <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return add_number(fits ? Value{static_cast<std::int64_t>(u)} : Value{static_cast<double>(u)});
  }
  bool number_float(number_float_t d, const string_t&) { return add_number(Value{d}); }
  bool string(string_t& text) { return add(Value{std::move(text)}); }
  bool binary(binary_t&) { return false; }

  bool start_object(std::size_t) { return open(Value{ValueObject{}}); }
  bool start_array(std::size_t) { return open(Value{ValueList{}}); }
  bool key(string_t& name) {
    Frame& frame = stack_.back();
    std::get<ValueObject>(frame.value.data).emplace_back(std::move(name), Value{});
    frame.key_ends.push_back(read_);
    frame.after_key = true;
    last_end_ = read_;
    return true;
  }
  bool end_object() { return refuse_duplicates(stack_.back()) && close(); }
  bool end_array() { return close(); }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& exception) {
    JsonStop stop{context(), last_end_, {}, read_, lexer_complaint(exception.what())};
    for (const Frame& frame : stack_) stop.open.push_back(frame.begin);
    error_ = syntax_error(text_, file_, stop);
    return false;
  }

  Result<Value> result() && {
    if (error_) return *std::move(error_);
    return std::move(root_);
  }

private:
  struct Frame {
    Value value;
    std::size_t begin = 0;                // offset of the bracket
    std::vector<std::size_t> key_ends{};  // offset behind each key
    bool after_key = false;
  };

  JsonContext context() const {
    if (stack_.empty()) return finished_ ? JsonContext::finished : JsonContext::start;
    const Frame& frame = stack_.back();
    if (frame.after_key) return JsonContext::key;
    if (const auto* object = std::get_if<ValueObject>(&frame.value.data)) {
      return object->empty() ? JsonContext::object_begin : JsonContext::object_value;
    }
    return std::get<ValueList>(frame.value.data).empty() ? JsonContext::list_begin : JsonContext::list_value;
  }

  bool fail(Error error) {
    error_ = std::move(error);
    return false;
  }

  bool add(Value value) {
    last_end_ = read_;
    if (++values_ > limits_.values) {
      return fail(json_error(text_, file_, read_ - 1, "more than " + std::to_string(limits_.values) + " values", ""));
    }
    place(std::move(value));
    return true;
  }

  // The lexer has read one character beyond a number, except at the end of the text.
  bool add_number(Value value) {
    if (next_special_ < specials_.size() && specials_[next_special_].begin < read_) {
      const SpecialNumber& special = specials_[next_special_++];
      if (!add(Value{special.value})) return false;
      last_end_ = special.end;
      return true;
    }
    if (!add(std::move(value))) return false;
    if (const char last = text_[read_ - 1]; last < '0' || last > '9') --last_end_;
    return true;
  }

  void place(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      finished_ = true;
      return;
    }
    Frame& frame = stack_.back();
    frame.after_key = false;
    if (auto* object = std::get_if<ValueObject>(&frame.value.data)) {
      object->back().second = std::move(value);
    } else {
      std::get<ValueList>(frame.value.data).push_back(std::move(value));
    }
  }

  bool open(Value container) {
    last_end_ = read_;
    if (stack_.size() == static_cast<std::size_t>(limits_.depth)) {
      const std::string depth = std::to_string(limits_.depth);
      return fail(json_error(text_, file_, read_ - 1, "nested deeper than " + depth + " levels", ""));
    }
    stack_.push_back({std::move(container), read_ - 1});
    return true;
  }

  bool close() {
    Value value = std::move(stack_.back().value);
    stack_.pop_back();
    return add(std::move(value));
  }

  // Offset of a key's opening quote, given the offset behind its closing quote.
  std::size_t key_begin(std::size_t end) const {
    std::size_t begin = end - 2;
    const auto escaped = [&] {
      std::size_t slashes = 0;
      while (slashes < begin && text_[begin - 1 - slashes] == '\\') ++slashes;
      return slashes % 2 == 1;
    };
    while (begin > 0 && (text_[begin] != '"' || escaped())) --begin;
    return begin;
  }

  bool refuse_duplicates(const Frame& frame) {
    const auto& members = std::get<ValueObject>(frame.value.data);
    std::vector<std::size_t> order(members.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto name = [&](std::size_t i) -> const std::string& { return members[i].first; };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return name(a) < name(b); });
    const auto twin = std::adjacent_find(order.begin(), order.end(),
                                         [&](std::size_t a, std::size_t b) { return name(a) == name(b); });
    if (twin == order.end()) return true;
    const SourcePosition first = locate(text_, file_, key_begin(frame.key_ends[*twin]));
    const std::size_t second = key_begin(frame.key_ends[*(twin + 1)]);
    return fail(json_error(text_, file_, second, "duplicate key " + to_json(Value{shortened(name(*twin))}),
                           "first at line " + std::to_string(first.line) + ", column " + std::to_string(first.column)));
  }

  std::string_view text_;
  const std::string& file_;
  const JsonLimits& limits_;
  const std::size_t& read_;
  const std::vector<SpecialNumber>& specials_;
  std::size_t next_special_ = 0;
  std::vector<Frame> stack_;
  Value root_;
  bool finished_ = false;
  std::size_t values_ = 0;
  std::size_t last_end_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<Value> parse_json(std::string_view text, const std::string& file, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return input_error(
        "the text has " + std::to_string(text.size()) + " bytes; the limit is " + std::to_string(limits.bytes), file);
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (auto other = not_json(text, file)) return *std::move(other);
  const std::optional<PlainText> plain = replace_specials(text);
  const std::string_view source = plain ? std::string_view(plain->text) : text;
  const std::vector<SpecialNumber> none;
  std::size_t read = 0;
  ValueBuilder builder(text, file, limits, read, plain ? plain->specials : none);
  const char* const begin = source.data();
  nlohmann::json::sax_parse(CountingIterator{begin, &read}, CountingIterator{begin + source.size(), &read}, &builder);
  return std::move(builder).result();
}

}  // namespace tpsim
