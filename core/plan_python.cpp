#include <string>

#include "core/plan_dicts.h"
#include "core/torch_styles.h"

namespace tpsim {
namespace {

// What stands between two separators of a dict: a key or a value.
struct Piece {
  bool any = false;
  bool is_string = false;  // only strings so far (and parentheses around them)
  std::string text;        // those strings, joined
  std::string what;        // in words, where it is something else
  std::string callee;      // "ColwiseParallel" for ColwiseParallel(...)
  TextPlace place;         // of its first token; spans all of it

  void add(const Token& token) {
    if (!any) place = place_of(token);
    place.span.length = token.span.offset + token.span.length - place.span.offset;
    any = true;
  }
  void add_string(const Token& token) {
    const bool first = !is_string && what.empty();
    add(token);
    if (!first && !is_string) return;
    is_string = true;
    text += token.value;
  }
  void add_other(const Token& token, std::string description) {
    add(token);
    if (what.empty()) what = is_string ? "an expression" : std::move(description);
    is_string = false;
  }
};

struct Frame {
  DictLiteral dict;
  Piece key, value;
  bool in_value = false;
  std::size_t level = 0;  // open brackets, its own included

  Piece& piece() { return in_value ? value : key; }
};

// The beginning of a statement or argument, as far as it matters for `name = {` and `name: annotation = {`.
struct Head {
  std::string name;
  bool annotated = false;  // a ':' was seen: the name stays
  std::string binding;     // set by '=', until something other than '{' or '(' follows
};

struct Bracket {
  char kind = '(';
  TextPlace place;
  Head outer;  // head of the text around it
};

class PythonDicts {
public:
  PythonDicts(std::string_view text, const std::string& file)
      : text_(text), file_(file), lexer_(text, PlanSyntax::python) {}

  Result<std::vector<DictLiteral>> run() {
    while (!error_) {
      const Token token = lexer_.next();
      if (token.kind == TokenKind::end) break;
      step(token);
    }
    if (!error_ && !brackets_.empty()) {
      const auto& open = brackets_.back();
      fail(open.place.span, std::string("'") + open.kind + "' is not closed");
    }
    if (error_) return std::move(*error_);
    return std::move(dicts_);
  }

private:
  void fail(Span span, const std::string& what) {
    error_ = error_at(text_, file_, span, base_name(file_) + " is not a readable Python dict: " + what);
  }

  bool in_dict() const { return !frames_.empty(); }
  bool at_dict_level() const { return in_dict() && frames_.back().level == brackets_.size(); }

  void step(const Token& token) {
    switch (token.kind) {
      case TokenKind::bad: return fail(token.span, token.value);
      case TokenKind::newline:
        if (brackets_.empty()) head_ = {};
        return;
      case TokenKind::punctuation: return punctuation(token);
      case TokenKind::string:
        if (in_dict()) frames_.back().piece().add_string(token);
        break;
      case TokenKind::format_string: other(token, "an f-string (it would have to be executed)"); break;
      case TokenKind::bytes: other(token, "a bytes literal"); break;
      case TokenKind::number: other(token, "the number " + std::string(token.raw)); break;
      case TokenKind::name: name(token); break;
      case TokenKind::end: return;
    }
    head_.binding.clear();
  }

  void other(const Token& token, std::string what) {
    if (in_dict()) frames_.back().piece().add_other(token, std::move(what));
  }

  void name(const Token& token) {
    last_name_ = token.raw;
    if (!head_.annotated) head_.name = token.raw;
    if (!in_dict()) return;
    auto& piece = frames_.back().piece();
    const bool fresh = !piece.any;
    const bool chain = !fresh && piece.callee.ends_with('.');
    if (fresh || chain) piece.callee += token.raw;
    const bool literal = token.raw == "None" || token.raw == "True" || token.raw == "False";
    piece.add_other(token, literal ? std::string(token.raw) : "the name " + std::string(token.raw));
  }

  void punctuation(const Token& token) {
    const char c = token.raw.front();
    if (token.raw.size() == 1 && (c == '{' || c == '(' || c == '[')) return open(token, c);
    if (c == '}' || c == ')' || c == ']') return close(token, c);
    if (c == ',') return comma(token);
    if (token.raw == ":") return colon(token);
    if (token.raw == "=") {
      head_.binding = names_a_plan(last_name_) ? last_name_ : head_.name;
      return other(token, "an expression");
    }
    if (token.raw == ";" && brackets_.empty()) head_ = {};
    head_.binding.clear();
    if (token.raw == "**" && in_dict() && !frames_.back().piece().any) return other(token, "a ** spread");
    if (token.raw == "." && in_dict() && !frames_.back().piece().callee.empty()) frames_.back().piece().callee += '.';
    other(token, "an expression");
  }

  void open(const Token& token, char c) {
    if (brackets_.size() >= kMaxPlanDepth)
      return fail(token.span, "nested deeper than " + std::to_string(kMaxPlanDepth) + " levels");
    const std::string binding = binding_for(c);
    if (in_dict()) note_open(frames_.back().piece(), token, c);
    brackets_.push_back({c, place_of(token), std::move(head_)});
    head_ = {};
    if (c == '(') head_.binding = brackets_.back().outer.binding;
    if (c == '{') {
      Frame frame;
      frame.dict.binding = binding;
      frame.dict.place = place_of(token);
      frame.dict.nested = in_dict();
      frame.level = brackets_.size();
      frames_.push_back(std::move(frame));
    }
  }

  std::string binding_for(char c) const {
    if (c != '{') return {};
    if (!in_dict()) return head_.binding;
    const auto& frame = frames_.back();
    const bool direct = frame.in_value && !frame.value.any;
    return direct && frame.key.is_string ? frame.key.text : head_.binding;
  }

  static void note_open(Piece& piece, const Token& token, char c) {
    if (c == '{') return piece.add_other(token, "a dict");
    if (c == '[') return piece.add_other(token, "a list");
    if (!piece.any) return;  // parentheses around a string
    if (!piece.callee.empty() && !piece.callee.ends_with('.') && piece.what.starts_with("the name"))
      piece.what = "the object " + piece.callee + "(...)";
    piece.add_other(token, "an expression");
  }

  void close(const Token& token, char c) {
    const char opener = c == '}' ? '{' : c == ')' ? '(' : '[';
    if (brackets_.empty()) return fail(token.span, std::string("'") + c + "' closes nothing");
    if (brackets_.back().kind != opener)
      return fail(token.span, std::string("'") + c + "' does not close the '" + brackets_.back().kind + "' of line " +
                                  std::to_string(brackets_.back().place.line));
    if (c == '}') close_dict(token);
    head_ = std::move(brackets_.back().outer);
    brackets_.pop_back();
    if (c != ')') head_.binding.clear();
    if (c != '}' && in_dict() && frames_.back().piece().any) frames_.back().piece().add(token);
  }

  void comma(const Token& token) {
    head_ = brackets_.empty() ? head_ : Head{};
    if (at_dict_level()) return end_entry(token);
    if (!in_dict() || !frames_.back().piece().is_string) return;
    frames_.back().piece().is_string = false;
    frames_.back().piece().add_other(token, "a tuple");
  }

  void colon(const Token& token) {
    head_.annotated = true;
    head_.binding.clear();
    if (!at_dict_level() || frames_.back().in_value) return other(token, "an expression");
    frames_.back().in_value = true;
  }

  void end_entry(const Token& at) {
    auto& frame = frames_.back();
    Piece key = std::move(frame.key), value = std::move(frame.value);
    const bool has_value = frame.in_value;
    frame.key = {};
    frame.value = {};
    frame.in_value = false;
    auto& dict = frame.dict;
    if (!key.any) return set_fault(dict, place_of(at), "a key is missing");
    if (key.what.starts_with("a ** spread"))
      return set_fault(dict, key.place, "a ** spread cannot be read without executing the file",
                       {"write its rules out"});
    if (!key.is_string) return set_fault(dict, key.place, "a key is " + key.what + ", not a string");
    if (!has_value || !value.any) return set_fault(dict, key.place, "\"" + key.text + "\" has no value");
    if (value.is_string && !names_a_plan(key.text))
      return dict.entries.push_back({std::move(key.text), std::move(value.text), key.place, value.place});
    if (const auto style = style_of(key, value)) {
      if (!style->strategy.empty())
        return dict.entries.push_back({std::move(key.text), style->strategy, key.place, value.place});
      note_other_key(dict, key.text);
      return set_fault(dict, value.place, "the value of \"" + key.text + "\" is " + style->refusal,
                       {"write the name of a strategy: tpsim strategies list"});
    }
    note_other_key(dict, key.text);
    set_fault(dict, value.place, fault_of_value(key, value), fixes_for(value));
  }

  // A call of one of torch's parallel styles.
  std::optional<TorchStyle> style_of(const Piece& key, const Piece& value) const {
    if (value.callee.empty() || !value.what.starts_with("the object")) return std::nullopt;
    return read_torch_style(text_.substr(value.place.span.offset, value.place.span.length), key.text);
  }

  static std::string fault_of_value(const Piece& key, const Piece& value) {
    const std::string what = value.is_string ? "a string" : value.what;
    if (names_a_plan(key.text))
      return "\"" + key.text + "\" is " + what + (what == "a dict" ? ", itself a plan" : ", not a dict of rules");
    return "the value of \"" + key.text + "\" is " + what + ", not the name of a strategy";
  }

  static std::vector<std::string> fixes_for(const Piece& value) {
    if (value.callee.empty() || !value.what.starts_with("the object")) return {};
    return {"write the name of a strategy (layouts have strategies of their own): tpsim strategies list"};
  }

  void close_dict(const Token& token) {
    auto& frame = frames_.back();
    const bool pending = frame.key.any || frame.in_value;
    if (pending) end_entry(token);
    keep_last_of_equal_keys(frame.dict);
    dicts_.push_back(std::move(frame.dict));
    frames_.pop_back();
  }

  // As Python does: the place in the order is the first one's, the value the last one's.
  static void keep_last_of_equal_keys(DictLiteral& dict) {
    const auto repeated = repeated_keys(dict.entries);
    if (repeated.empty()) return;
    std::vector<bool> drop(dict.entries.size(), false);
    for (const auto& [first, later] : repeated) {
      std::swap(dict.entries[first], dict.entries[later]);
      dict.overridden.push_back(dict.entries[later]);
      drop[later] = true;
    }
    std::vector<DictEntry> kept;
    for (std::size_t i = 0; i < dict.entries.size(); ++i)
      if (!drop[i]) kept.push_back(std::move(dict.entries[i]));
    dict.entries = std::move(kept);
  }

  std::string_view text_;
  const std::string& file_;
  PlanLexer lexer_;
  std::optional<Error> error_;
  std::vector<Bracket> brackets_;
  std::vector<Frame> frames_;
  Head head_;
  std::string last_name_;
  std::vector<DictLiteral> dicts_;
};

}  // namespace

Result<std::vector<DictLiteral>> find_python_dicts(std::string_view text, const std::string& file) {
  return PythonDicts(text, file).run();
}

}  // namespace tpsim
