#include "core/plan_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/utf8.h"

namespace tpsim {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80u;
}

// Resolves the escapes of one string body. On failure `error` is set and `error_span` is relative to the body.
class Unescaper {
public:
  Unescaper(std::string_view body, PlanSyntax syntax) : body_(body), json_(syntax == PlanSyntax::json) {}

  std::string run() {
    while (at_ < body_.size() && error.empty()) {
      const auto plain = std::min(body_.find('\\', at_), body_.size());
      out_.append(body_.substr(at_, plain - at_));
      at_ = plain;
      if (at_ < body_.size()) escape();
    }
    return std::move(out_);
  }

  std::string error;
  Span error_span;

private:
  void fail(std::string message, std::size_t length) {
    error = std::move(message);
    error_span = {at_, std::min(length, body_.size() - at_)};
  }

  void escape() {
    const char c = at_ + 1 < body_.size() ? body_[at_ + 1] : '\0';
    constexpr std::string_view from = "\"\\bfnrt", to = "\"\\\b\f\n\r\t";
    if (const auto i = from.find(c); i != std::string_view::npos) return put(to[i], 2);
    if (c == 'u') return code_point(4);
    if (json_) {
      if (c == '/') return put('/', 2);
      return fail("unknown escape sequence in a string", 2);
    }
    python_escape(c);
  }

  void python_escape(char c) {
    if (c == '\'') return put('\'', 2);
    if (c == 'a') return put('\a', 2);
    if (c == 'v') return put('\v', 2);
    if (c == 'x') return code_point(2);
    if (c == 'U') return code_point(8);
    if (c == 'N') return fail("character names (\\N{...}) are not read; write \\uXXXX", 2);
    if (c >= '0' && c <= '7') return octal();
    if (c == '\n') {
      at_ += 2;
      return;
    }
    put('\\', 1);  // Python keeps the backslash of an unknown escape
  }

  void put(char c, std::size_t consumed) {
    out_ += c;
    at_ += consumed;
  }

  void octal() {
    std::size_t length = 1;
    char32_t code = 0;
    while (length < 4 && at_ + length < body_.size() && body_[at_ + length] >= '0' && body_[at_ + length] <= '7')
      code = code * 8 + static_cast<char32_t>(body_[at_ + length++] - '0');
    append_utf8(out_, code);
    at_ += length;
  }

  std::optional<char32_t> hexadecimal(std::size_t begin, std::size_t digits) const {
    if (begin + digits > body_.size()) return std::nullopt;
    unsigned value = 0;
    const char* first = body_.data() + begin;
    const auto [end, status] = std::from_chars(first, first + digits, value, 16);
    if (status != std::errc() || end != first + digits) return std::nullopt;
    return value;
  }

  void code_point(std::size_t digits) {
    auto code = hexadecimal(at_ + 2, digits);
    if (!code) return fail("an escape that needs " + std::to_string(digits) + " hexadecimal digits", digits + 2);
    std::size_t consumed = digits + 2;
    if (json_ && *code >= 0xD800 && *code <= 0xDBFF && body_.substr(at_ + 6, 2) == "\\u") {
      const auto low = hexadecimal(at_ + 8, 4);
      if (low && *low >= 0xDC00 && *low <= 0xDFFF) {
        code = 0x10000 + ((*code - 0xD800) << 10u) + (*low - 0xDC00);
        consumed = 12;
      }
    }
    if (*code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
      return fail("an escape that is no Unicode character", consumed);
    append_utf8(out_, *code);
    at_ += consumed;
  }

  std::string_view body_;
  bool json_;
  std::size_t at_ = 0;
  std::string out_;
};

// Offset of the quote that closes a string body starting at `at`; npos where the string is not closed.
std::size_t find_close(std::string_view text, std::size_t at, std::string_view quote) {
  const bool single_line = quote.size() == 1;
  while (at < text.size()) {
    if (text[at] == '\\') {
      at += 2;
      continue;
    }
    if (single_line && text[at] == '\n') return std::string_view::npos;
    if (text.substr(at, quote.size()) == quote) return at;
    ++at;
  }
  return std::string_view::npos;
}

std::optional<std::size_t> find_control_character(std::string_view body) {
  const auto found =
      std::find_if(body.begin(), body.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20u; });
  if (found == body.end()) return std::nullopt;
  return static_cast<std::size_t>(found - body.begin());
}

}  // namespace

void PlanLexer::advance_position(std::size_t to) {
  for (; located_ < to; ++located_) {
    const char c = text_[located_];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0u) != 0x80u) {
      ++column_;
    }
  }
}

void PlanLexer::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    const bool newline_is_blank = syntax_ == PlanSyntax::json;
    if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && newline_is_blank)) {
      ++at_;
    } else if (syntax_ == PlanSyntax::python && (c == '\f' || (c == '\\' && text_.substr(at_ + 1, 1) == "\n"))) {
      at_ += c == '\f' ? 1 : 2;
    } else if (syntax_ == PlanSyntax::python && c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else {
      return;
    }
  }
}

Token PlanLexer::make(TokenKind kind, std::size_t length) {
  advance_position(at_);
  Token token{kind, text_.substr(at_, length), {}, {at_, length}, line_, column_};
  at_ += length;
  return token;
}

Token PlanLexer::bad(std::string message, Span span) {
  advance_position(span.offset);
  Token token{TokenKind::bad, text_.substr(span.offset, span.length), std::move(message), span, line_, column_};
  at_ = text_.size();
  return token;
}

Token PlanLexer::next() {
  skip_blanks();
  if (at_ >= text_.size()) return make(TokenKind::end, 0);
  const char c = text_[at_];
  if (c == '\n') return make(TokenKind::newline, 1);
  std::size_t prefix_length = 0;
  if (starts_string(prefix_length)) return string(prefix_length);
  if (is_digit(c) || (syntax_ == PlanSyntax::json && c == '-')) return number();
  if (is_word(c)) return word();
  return punctuation();
}

Token PlanLexer::word() {
  std::size_t end = at_;
  while (end < text_.size() && is_word(text_[end])) ++end;
  return make(TokenKind::name, end - at_);
}

Token PlanLexer::number() {
  std::size_t end = at_ + 1;
  while (end < text_.size()) {
    const char c = text_[end];
    const bool exponent_sign = (c == '+' || c == '-') && (text_[end - 1] == 'e' || text_[end - 1] == 'E');
    if (!is_word(c) && c != '.' && !exponent_sign) break;
    ++end;
  }
  return make(TokenKind::number, end - at_);
}

Token PlanLexer::punctuation() {
  static constexpr std::array<std::string_view, 9> pairs = {"**", "==", "!=", "<=", ">=", ":=", "->", "+=", "|="};
  const auto two = text_.substr(at_, 2);
  const bool pair = syntax_ == PlanSyntax::python && std::find(pairs.begin(), pairs.end(), two) != pairs.end();
  return make(TokenKind::punctuation, pair ? 2 : 1);
}

bool PlanLexer::starts_string(std::size_t& prefix_length) const {
  constexpr std::string_view letters = "rRbBuUfFtT";
  std::size_t i = 0;
  while (syntax_ == PlanSyntax::python && i < 2 && at_ + i < text_.size() &&
         letters.find(text_[at_ + i]) != std::string_view::npos)
    ++i;
  prefix_length = i;
  if (at_ + i >= text_.size()) return false;
  const char c = text_[at_ + i];
  return c == '"' || (c == '\'' && syntax_ == PlanSyntax::python);
}

Token PlanLexer::string(std::size_t prefix_length) {
  const auto prefix = text_.substr(at_, prefix_length);
  const std::size_t open = at_ + prefix_length;
  auto quote = text_.substr(open, 1);
  if (syntax_ == PlanSyntax::python && text_.substr(open, 3) == std::string(3, quote.front()))
    quote = text_.substr(open, 3);
  const std::size_t begin = open + quote.size();
  const std::size_t close = find_close(text_, begin, quote);
  if (close == std::string_view::npos) return bad("a string is not closed", {at_, prefix_length + quote.size()});
  const auto body = text_.substr(begin, close - begin);
  if (syntax_ == PlanSyntax::json)
    if (const auto i = find_control_character(body)) return bad("a control character inside a string", {begin + *i, 1});

  const auto has = [&](std::string_view either) { return prefix.find_first_of(either) != std::string_view::npos; };
  const TokenKind kind = has("fFtT") ? TokenKind::format_string : has("bB") ? TokenKind::bytes : TokenKind::string;
  std::string value;
  if (kind == TokenKind::string && !has("rR")) {
    Unescaper unescaper(body, syntax_);
    value = unescaper.run();
    if (!unescaper.error.empty())
      return bad(unescaper.error, {begin + unescaper.error_span.offset, unescaper.error_span.length});
  } else {
    value = body;
  }
  Token token = make(kind, close + quote.size() - at_);
  token.value = std::move(value);
  return token;
}

}  // namespace tpsim
