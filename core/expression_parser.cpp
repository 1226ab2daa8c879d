#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

#include "core/expression.h"

namespace tpsim {

namespace {

enum class TokenKind { number, string, name, sign, end, bad };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;
  int begin = 0, end = 0;
};

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    if (at_ == text_.size()) return token(TokenKind::end, 0);
    const char c = text_[at_];
    if (starts_name(c)) return token(TokenKind::name, name_length());
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return token(TokenKind::number, number_length());
    if (c == '"' || c == '\'') return string_token(c);
    return sign_token();
  }

private:
  char peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  Token token(TokenKind kind, std::size_t length) {
    const Token t{kind, text_.substr(at_, length), static_cast<int>(at_), static_cast<int>(at_ + length)};
    at_ += length;
    return t;
  }

  // Dots belong to a name: `gate.weight`.
  std::size_t name_length() const {
    std::size_t n = 0;
    while (in_name(peek(n)) || (peek(n) == '.' && starts_name(peek(n + 1)))) ++n;
    return n;
  }

  std::size_t number_length() const {
    std::size_t n = 0;
    for (; at_ + n < text_.size(); ++n) {
      const char c = text_[at_ + n];
      const bool signed_exponent = (c == '+' || c == '-') && n > 0 && (peek(n - 1) == 'e' || peek(n - 1) == 'E');
      if (!in_name(c) && c != '.' && !signed_exponent) break;
    }
    return n;
  }

  Token string_token(char quote) {
    const auto close = text_.find(quote, at_ + 1);
    if (close == std::string_view::npos) return token(TokenKind::bad, text_.size() - at_);
    return token(TokenKind::string, close + 1 - at_);
  }

  Token sign_token() {
    constexpr std::array<std::string_view, 6> kTwo{"//", "**", "==", "!=", "<=", ">="};
    for (const auto two : kTwo) {
      if (text_.substr(at_, 2) == two) return token(TokenKind::sign, 2);
    }
    constexpr std::string_view kOne = "+-*/%<>()[],=";
    return token(kOne.find(text_[at_]) == std::string_view::npos ? TokenKind::bad : TokenKind::sign, 1);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_keyword(std::string_view word) {
  constexpr std::array<std::string_view, 8> kWords{"and", "or", "not", "in", "is", "if", "else", "for"};
  for (const auto w : kWords) {
    if (w == word) return true;
  }
  return false;
}

std::optional<Value> named_literal(std::string_view word) {
  if (word == "none" || word == "None") return Value{nullptr};
  if (word == "true" || word == "True") return Value{true};
  if (word == "false" || word == "False") return Value{false};
  return std::nullopt;
}

// Recursive descent. A failed function returns false with the first error kept.
class Parser {
public:
  Parser(std::string_view text, Grammar grammar) : text_(text), lexer_(text), grammar_(grammar) { advance(); }

  Result<Expression> parse() {
    Node root;
    if (grammar_ == Grammar::forward ? tuple(root) : conditional(root)) {
      if (token_.kind == TokenKind::end && message_.empty()) return Expression{std::string(text_), std::move(root)};
      fail("unexpected " + found());
    }
    Error error = input_error(message_);
    error.details = excerpt(text_, error_begin_, error_end_);
    return error;
  }

private:
  void advance() {
    previous_end_ = token_.end;
    token_ = lexer_.next();
  }
  bool at_sign(std::string_view sign) const { return token_.kind == TokenKind::sign && token_.text == sign; }
  bool at_word(std::string_view word) const { return token_.kind == TokenKind::name && token_.text == word; }
  bool take_sign(std::string_view sign) {
    const bool there = at_sign(sign);
    if (there) advance();
    return there;
  }
  bool take_word(std::string_view word) {
    const bool there = at_word(word);
    if (there) advance();
    return there;
  }
  bool expect(std::string_view sign) {
    return take_sign(sign) || fail("expected \"" + std::string(sign) + "\", found " + found());
  }

  std::string found() const {
    if (token_.kind == TokenKind::end) return "the end";
    if (token_.kind == TokenKind::bad && token_.text.size() > 1) return "a string without its closing quote";
    return "\"" + std::string(token_.text) + "\"";
  }

  bool fail(std::string message) {
    if (message_.empty()) {
      message_ = std::move(message);
      error_begin_ = token_.begin;
      error_end_ = token_.end;
    }
    return false;
  }

  bool count_node(int begin, Node& node) {
    node.begin = begin;
    node.end = previous_end_;
    return ++nodes_ <= kMaxExpressionNodes ||
           fail("an expression has at most " + std::to_string(kMaxExpressionNodes) + " parts");
  }

  // Replaces `node` by one of `kind` with `node` as its first child.
  static Node& wrap(Node& node, NodeKind kind) {
    Node parent;
    parent.kind = kind;
    parent.children.push_back(std::move(node));
    node = std::move(parent);
    return node;
  }

  bool tuple(Node& node) {
    const int begin = token_.begin;
    if (!conditional(node)) return false;
    if (!at_sign(",")) return true;
    wrap(node, NodeKind::tuple);
    while (take_sign(",")) {
      if (token_.kind == TokenKind::end || at_sign(")")) break;
      if (!conditional(node.children.emplace_back())) return false;
    }
    return count_node(begin, node);
  }

  bool conditional(Node& node) {
    if (++depth_ > kMaxExpressionDepth) return fail("nested too deeply");
    const int begin = token_.begin;
    bool good = disjunction(node);
    if (good && take_word("if")) {
      wrap(node, NodeKind::conditional);
      good = disjunction(node.children.emplace_back()) && otherwise(node) && count_node(begin, node);
    }
    --depth_;
    return good;
  }

  bool otherwise(Node& node) {
    if (take_word("else")) return conditional(node.children.emplace_back());
    return grammar_ == Grammar::module || fail("expected \"else\", found " + found());
  }

  bool disjunction(Node& node) {
    const int begin = token_.begin;
    if (!conjunction(node)) return false;
    if (!at_word("or")) return true;
    wrap(node, NodeKind::logical_or);
    while (take_word("or")) {
      if (!conjunction(node.children.emplace_back())) return false;
    }
    return count_node(begin, node);
  }

  bool conjunction(Node& node) {
    const int begin = token_.begin;
    if (!negation(node)) return false;
    if (!at_word("and")) return true;
    wrap(node, NodeKind::logical_and);
    while (take_word("and")) {
      if (!negation(node.children.emplace_back())) return false;
    }
    return count_node(begin, node);
  }

  bool negation(Node& node) {
    const int begin = token_.begin;
    if (!take_word("not")) return comparison(node);
    if (++depth_ > kMaxExpressionDepth) return fail("nested too deeply");
    const bool good = negation(node);
    --depth_;
    wrap(node, NodeKind::logical_not);
    return good && count_node(begin, node);
  }

  std::optional<Comparison> comparison_operator() {
    if (take_sign("==")) return Comparison::equal;
    if (take_sign("!=")) return Comparison::not_equal;
    if (take_sign("<=")) return Comparison::less_equal;
    if (take_sign(">=")) return Comparison::greater_equal;
    if (take_sign("<")) return Comparison::less;
    if (take_sign(">")) return Comparison::greater;
    if (take_word("in")) return Comparison::in;
    if (take_word("is")) return take_word("not") ? Comparison::is_not : Comparison::is;
    if (!at_word("not")) return std::nullopt;
    advance();
    if (!take_word("in")) fail("expected \"in\" after \"not\", found " + found());
    return Comparison::not_in;
  }

  bool comparison(Node& node) {
    const int begin = token_.begin;
    if (!sum(node)) return false;
    auto op = comparison_operator();
    if (!op) return true;
    wrap(node, NodeKind::compare);
    for (; op; op = comparison_operator()) {
      node.comparisons.push_back(*op);
      if (!sum(node.children.emplace_back())) return false;
    }
    return count_node(begin, node);
  }

  std::optional<Arithmetic> sum_operator() {
    if (take_sign("+")) return Arithmetic::add;
    if (take_sign("-")) return Arithmetic::subtract;
    return std::nullopt;
  }

  std::optional<Arithmetic> product_operator() {
    if (take_sign("*")) return Arithmetic::multiply;
    if (take_sign("/")) return Arithmetic::divide;
    if (take_sign("//")) return Arithmetic::floor_divide;
    if (take_sign("%")) return Arithmetic::modulo;
    return std::nullopt;
  }

  bool sum(Node& node) {
    const int begin = token_.begin;
    if (!product(node)) return false;
    for (auto op = sum_operator(); op; op = sum_operator()) {
      wrap(node, NodeKind::binary).arithmetic = *op;
      if (!product(node.children.emplace_back()) || !count_node(begin, node)) return false;
    }
    return true;
  }

  bool product(Node& node) {
    const int begin = token_.begin;
    if (!sign(node)) return false;
    for (auto op = product_operator(); op; op = product_operator()) {
      wrap(node, NodeKind::binary).arithmetic = *op;
      if (!sign(node.children.emplace_back()) || !count_node(begin, node)) return false;
    }
    return true;
  }

  bool sign(Node& node) {
    const int begin = token_.begin;
    if (take_sign("+")) return sign_operand(node);
    if (!take_sign("-")) return power(node);
    if (!sign_operand(node)) return false;
    wrap(node, NodeKind::negate);
    return count_node(begin, node);
  }

  bool sign_operand(Node& node) {
    if (++depth_ > kMaxExpressionDepth) return fail("nested too deeply");
    const bool good = sign(node);
    --depth_;
    return good;
  }

  bool power(Node& node) {
    const int begin = token_.begin;
    if (!postfix(node)) return false;
    if (!take_sign("**")) return true;
    wrap(node, NodeKind::binary).arithmetic = Arithmetic::power;
    return sign_operand(node.children.emplace_back()) && count_node(begin, node);
  }

  bool postfix(Node& node) {
    const int begin = token_.begin;
    if (!atom(node)) return false;
    while (take_sign("[")) {
      wrap(node, NodeKind::index);
      if (!conditional(node.children.emplace_back()) || !expect("]") || !count_node(begin, node)) return false;
    }
    return true;
  }

  bool atom(Node& node) {
    const int begin = token_.begin;
    switch (token_.kind) {
      case TokenKind::number: return number(node) && count_node(begin, node);
      case TokenKind::string:
        node.value.data = std::string(token_.text.substr(1, token_.text.size() - 2));
        advance();
        return count_node(begin, node);
      case TokenKind::name: return name(node);
      case TokenKind::sign:
        if (take_sign("(")) return group(node) && expect(")");
        if (take_sign("[")) return list(node, begin);
        break;
      case TokenKind::end:
      case TokenKind::bad: break;
    }
    return fail("expected a value, found " + found());
  }

  bool group(Node& node) {
    if (grammar_ != Grammar::forward) return conditional(node);
    return tuple(node);
  }

  bool number(Node& node) {
    const char* first = token_.text.data();
    const char* last = first + token_.text.size();
    std::int64_t integer = 0;
    const auto whole = std::from_chars(first, last, integer);
    if (whole.ec == std::errc() && whole.ptr == last) {
      node.value.data = integer;
    } else {
      double real = 0;
      const auto parsed = std::from_chars(first, last, real);
      if (parsed.ec != std::errc() || parsed.ptr != last) return fail("not a number: " + found());
      node.value.data = real;
    }
    advance();
    return true;
  }

  bool name(Node& node) {
    const int begin = token_.begin;
    if (is_keyword(token_.text)) return fail("expected a value, found " + found());
    if (auto literal = named_literal(token_.text)) {
      node.value = *std::move(literal);
      advance();
      return count_node(begin, node);
    }
    node.kind = NodeKind::name;
    node.text = token_.text;
    advance();
    if (take_sign("(")) return call(node, begin);
    return count_node(begin, node);
  }

  bool call(Node& node, int begin) {
    node.kind = NodeKind::call;
    while (!at_sign(")")) {
      if (!node.children.empty() && !expect(",")) return false;
      if (at_sign(")")) break;
      if (!argument(node)) return false;
    }
    advance();
    return count_node(begin, node);
  }

  bool argument(Node& node) {
    Node value;
    if (!conditional(value)) return false;
    if (value.kind == NodeKind::name && take_sign("=")) {
      for (const auto& keyword : node.keywords) {
        if (keyword == value.text) return fail("keyword \"" + keyword + "\" is given twice");
      }
      node.keywords.push_back(value.text);
      return conditional(node.children.emplace_back());
    }
    if (!node.keywords.empty()) return fail("a positional argument after a keyword argument");
    node.children.push_back(std::move(value));
    return true;
  }

  bool list(Node& node, int begin) {
    node.kind = NodeKind::list;
    while (!at_sign("]")) {
      if (node.children.size() == 1 && at_word("for")) return comprehension(node, begin);
      if (!node.children.empty() && !expect(",")) return false;
      if (at_sign("]")) break;
      if (!conditional(node.children.emplace_back())) return false;
    }
    advance();
    return count_node(begin, node);
  }

  bool comprehension(Node& node, int begin) {
    advance();
    if (token_.kind != TokenKind::name || is_keyword(token_.text) || named_literal(token_.text)) {
      return fail("expected a name after \"for\", found " + found());
    }
    node.kind = NodeKind::comprehension;
    node.text = token_.text;
    advance();
    if (!take_word("in")) return fail("expected \"in\", found " + found());
    return conditional(node.children.emplace_back()) && expect("]") && count_node(begin, node);
  }

  std::string_view text_;
  Lexer lexer_;
  Grammar grammar_;
  Token token_;
  int previous_end_ = 0;
  int depth_ = 0;
  int nodes_ = 0;
  std::string message_;
  int error_begin_ = 0, error_end_ = 0;
};

}  // namespace

Result<Expression> parse_expression(std::string_view text, Grammar grammar) { return Parser(text, grammar).parse(); }

std::vector<std::string> excerpt(std::string_view text, int begin, int end) {
  constexpr std::size_t kWidth = 100;
  auto from = static_cast<std::size_t>(begin), to = static_cast<std::size_t>(end);
  if (text.size() > kWidth) {
    const std::size_t cut = from > kWidth / 2 ? std::min(from - kWidth / 2, text.size() - kWidth) : 0;
    text = text.substr(cut, kWidth);
    from -= cut;
    to = std::min(to - cut, kWidth);
  }
  return {std::string(text), std::string(from, ' ') + std::string(to > from ? to - from : 1, '^')};
}

bool is_identifier(std::string_view text) {
  if (text.empty() || !starts_name(text.front()) || is_keyword(text)) return false;
  for (const char c : text) {
    if (!in_name(c)) return false;
  }
  return true;
}

}  // namespace tpsim
