// Tokens of a plan file, JSON or Python. The lexer never fails on Python it does not know: only strings matter.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/source_text.h"

namespace tpsim {

enum class PlanSyntax { json, python };

enum class TokenKind { string, format_string, bytes, name, number, punctuation, newline, end, bad };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view raw;
  std::string value;  // string: its text with escapes resolved; bad: what is wrong
  Span span;
  int line = 1;
  int column = 1;

  bool is(std::string_view punctuation) const { return kind == TokenKind::punctuation && raw == punctuation; }
};

class PlanLexer {
public:
  PlanLexer(std::string_view text, PlanSyntax syntax) : text_(text), syntax_(syntax) {}
  // After the last token: `end`, again and again. After a `bad` one the rest is meaningless.
  Token next();

private:
  void skip_blanks();
  void advance_position(std::size_t to);
  Token make(TokenKind kind, std::size_t length);
  Token bad(std::string message, Span span);
  Token word();
  Token number();
  Token punctuation();
  Token string(std::size_t prefix_length);
  bool starts_string(std::size_t& prefix_length) const;

  std::string_view text_;
  PlanSyntax syntax_;
  std::size_t at_ = 0;
  std::size_t located_ = 0;  // line_ and column_ belong to this offset
  int line_ = 1;
  int column_ = 1;
};

}  // namespace tpsim
