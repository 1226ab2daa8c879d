#include <string>

#include "core/plan_dicts.h"

namespace tpsim {
namespace {

// Strict JSON, one token ahead. Values that are no dicts are checked and dropped.
class JsonDicts {
public:
  JsonDicts(std::string_view text, const std::string& file)
      : text_(text), file_(file), lexer_(text, PlanSyntax::json) {}

  Result<std::vector<DictLiteral>> run() {
    take();
    if (token_.is("{")) {
      object("", 1);
    } else {
      fail("a plan is an object of rules: expected '{'", token_);
    }
    if (!error_ && token_.kind != TokenKind::end) fail("text after the end of the object", token_);
    if (error_) return std::move(*error_);
    return std::move(dicts_);
  }

private:
  void take() {
    last_line_ = token_.line;
    token_ = lexer_.next();
    if (token_.kind == TokenKind::bad) fail(token_.value, token_);
  }

  void fail(const std::string& what, const Token& at, std::string_view note = {}) {
    if (error_) return;
    error_ = error_at(text_, file_, at.span, base_name(file_) + " is not valid JSON: " + what, note);
    if (at.raw == "'" || at.raw == "#")
      error_->fixes.push_back("give the file a name that ends in .py to have it read as a Python dict");
  }

  void expected(const std::string& what, std::string_view note = {}) {
    if (token_.kind == TokenKind::end) return fail("it ends before the object is closed", token_);
    if (token_.raw == "'") return fail("strings take double quotes", token_);
    if (token_.raw == "#" || token_.raw == "/") return fail("it has no comments", token_);
    fail("expected " + what, token_, note);
  }

  bool too_deep(int depth) {
    if (depth <= kMaxPlanDepth) return false;
    fail("nested deeper than " + std::to_string(kMaxPlanDepth) + " levels", token_);
    return true;
  }

  // After a value: true if another element follows.
  bool separator(std::string_view close, bool& done) {
    done = token_.is(close);
    if (done || token_.is(",")) {
      const Token comma = token_;
      take();
      if (!done && token_.is(close)) fail("a comma after the last element", comma);
      return !done;
    }
    const bool on_later_line = token_.line > last_line_;
    const std::string note = "a comma is missing at the end of line " + std::to_string(last_line_);
    expected("',' or '" + std::string(close) + "' after the value", on_later_line ? note : "");
    return false;
  }

  void object(const std::string& binding, int depth) {
    if (too_deep(depth)) return;
    DictLiteral dict;
    dict.binding = binding;
    dict.place = place_of(token_);
    dict.nested = depth > 1;
    take();
    bool done = token_.is("}");
    if (done) take();
    while (!error_ && !done) {
      member(dict, depth);
      if (error_ || !separator("}", done)) break;
    }
    close(std::move(dict));
  }

  void close(DictLiteral dict) {
    if (error_) return;
    if (const auto repeated = repeated_keys(dict.entries); !repeated.empty()) {
      const auto& first = dict.entries[repeated.front().first];
      const auto& second = dict.entries[repeated.front().second];
      set_fault(dict, second.key_place,
                "\"" + second.key + "\" is given twice: first at line " + std::to_string(first.key_place.line) +
                    ", column " + std::to_string(first.key_place.column) + " (\"" + first.value + "\")",
                {"keep one of the two"});
    }
    dicts_.push_back(std::move(dict));
  }

  void member(DictLiteral& dict, int depth) {
    if (token_.kind != TokenKind::string) return expected("a key in double quotes");
    DictEntry entry{std::move(token_.value), {}, place_of(token_), {}};
    take();
    if (!error_ && !token_.is(":")) return expected("':' after the key");
    take();
    if (error_) return;
    entry.value_place = place_of(token_);
    if (token_.kind == TokenKind::string && !names_a_plan(entry.key)) {
      entry.value = std::move(token_.value);
      take();
      dict.entries.push_back(std::move(entry));
      return;
    }
    const bool is_object = token_.is("{");
    const std::string what = value(entry.key, depth);
    note_other_key(dict, entry.key);
    if (names_a_plan(entry.key) && is_object)
      return set_fault(dict, entry.key_place, "\"" + entry.key + "\" is itself a plan");
    if (names_a_plan(entry.key))
      return set_fault(dict, entry.value_place, "\"" + entry.key + "\" is " + what + ", not an object of rules");
    set_fault(dict, entry.value_place,
              "the value of \"" + entry.key + "\" is " + what + ", not the name of a strategy");
  }

  // Skips a value and returns what it is, in words.
  std::string value(const std::string& binding, int depth) {
    if (token_.is("{")) {
      object(binding, depth + 1);
      return "an object";
    }
    if (token_.is("[")) {
      list(depth + 1);
      return "a list";
    }
    return scalar();
  }

  std::string scalar() {
    const std::string_view raw = token_.raw;
    const bool number = token_.kind == TokenKind::number || raw == "NaN" || raw == "Infinity";
    const bool literal = raw == "null" || raw == "true" || raw == "false";
    if (!number && !literal && token_.kind != TokenKind::string) {
      expected("a value");
      return {};
    }
    const std::string what = token_.kind == TokenKind::string ? "a string"
                             : number                         ? "the number " + std::string(raw)
                                                              : std::string(raw);
    take();
    return what;
  }

  void list(int depth) {
    if (too_deep(depth)) return;
    take();
    bool done = token_.is("]");
    if (done) take();
    while (!error_ && !done) {
      value("", depth);
      if (error_ || !separator("]", done)) break;
    }
  }

  std::string_view text_;
  const std::string& file_;
  PlanLexer lexer_;
  Token token_;
  int last_line_ = 1;  // of the token before token_
  std::optional<Error> error_;
  std::vector<DictLiteral> dicts_;
};

}  // namespace

Result<std::vector<DictLiteral>> find_json_dicts(std::string_view text, const std::string& file) {
  return JsonDicts(text, file).run();
}

}  // namespace tpsim
