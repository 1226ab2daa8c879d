#include "cli/text_edit.h"

#include <algorithm>

#include "cli/json_writer.h"
#include "core/plan_lexer.h"

namespace tpsim::cli {
namespace {

std::optional<std::size_t> offset_of(std::string_view text, const SourcePosition& position) {
  if (position.line < 1) return std::nullopt;
  std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (int line = 1; line < position.line; ++line) {
    at = text.find('\n', at);
    if (at == std::string_view::npos) return std::nullopt;
    ++at;
  }
  for (int column = 1; column < position.column && at < text.size(); ++column) do
      ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u);
  return at < text.size() ? std::optional(at) : std::nullopt;
}

PlanSyntax syntax_of(const Plan& plan) { return plan.name.ends_with(".json") ? PlanSyntax::json : PlanSyntax::python; }

// A rule's key and value as they stand in the text.
struct Entry {
  const Rule* rule;
  Span key, value;
  std::size_t end = 0;  // behind the comma, where there is one
  bool comma = false;

  std::size_t value_end() const { return value.offset + value.length; }
};

std::optional<Entry> entry_of(std::string_view text, const Plan& plan, const Rule& rule) {
  const auto key = literal_at(text, rule.position), value = literal_at(text, rule.strategy_position);
  if (!key || !value) return std::nullopt;
  Entry entry{&rule, *key, *value, value->offset + value->length, false};
  PlanLexer lexer(text.substr(entry.end), syntax_of(plan));
  Token token = lexer.next();
  while (token.kind == TokenKind::newline) token = lexer.next();
  if (!token.is(",")) return entry;
  entry.comma = true;
  entry.end += token.span.offset + 1;
  return entry;
}

class Editor {
public:
  Editor(std::string_view text, const Plan& plan) : text_(text), plan_(plan) {}

  std::optional<std::vector<TextEdit>> run(const std::vector<PatchOperation>& patch) {
    for (const Rule& rule : plan_.rules) {
      const auto entry = entry_of(text_, plan_, rule);
      if (!entry) return std::nullopt;
      entries_.push_back(*entry);
    }
    if (entries_.empty()) return std::nullopt;
    for (std::size_t i = 0; i < patch.size(); ++i) {
      const bool renames = i + 1 < patch.size() && patch[i].op == "remove" && patch[i + 1].op == "add" &&
                           find(patch[i].key) != nullptr && find(patch[i + 1].key) == nullptr;
      if (renames) rename(*find(patch[i].key), patch[i + 1]);
      if (!renames) apply(patch[i]);
      if (renames) ++i;
    }
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const TextEdit& a, const TextEdit& b) { return a.span.offset < b.span.offset; });
    return std::move(edits_);
  }

private:
  const Entry* find(std::string_view key) const {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.rule->key == key; });
    return found == entries_.end() ? nullptr : &*found;
  }

  void rename(const Entry& entry, const PatchOperation& to) {
    edits_.push_back({entry.key, json_quoted(to.key)});
    if (to.value != entry.rule->strategy) edits_.push_back({entry.value, json_quoted(to.value)});
  }

  void apply(const PatchOperation& operation) {
    const Entry* entry = find(operation.key);
    if (operation.op == "remove")
      remove(entry);
    else if (entry != nullptr)
      edits_.push_back({entry->value, json_quoted(operation.value)});
    else
      append(operation);
  }

  // With its comma; the last one with the comma before it.
  void remove(const Entry* entry) {
    if (entry == nullptr) return;
    std::size_t begin = entry->key.offset, end = entry->end;
    if (!entry->comma && entry != entries_.data()) begin = (entry - 1)->value_end();
    while (entry->comma && end < text_.size() && (text_[end] == ' ' || text_[end] == '\n')) ++end;
    edits_.push_back({{begin, end - begin}, ""});
  }

  void append(const PatchOperation& operation) {
    const Entry& last = entries_.back();
    const auto line = text_.rfind('\n', last.key.offset);
    const std::size_t start = line == std::string_view::npos ? 0 : line + 1;
    const auto lead = text_.substr(start, last.key.offset - start);
    const bool own_line = lead.find_first_not_of(" \t") == std::string_view::npos && start > 0;
    const std::string before = own_line ? ",\n" + std::string(lead) : ", ";
    edits_.push_back(
        {{last.value_end(), 0}, before + json_quoted(operation.key) + ": " + json_quoted(operation.value)});
  }

  std::string_view text_;
  const Plan& plan_;
  std::vector<Entry> entries_;
  std::vector<TextEdit> edits_;
};

bool overlap(const std::vector<TextEdit>& edits) {
  for (std::size_t i = 1; i < edits.size(); ++i)
    if (edits[i - 1].span.offset + edits[i - 1].span.length > edits[i].span.offset) return true;
  return false;
}

}  // namespace

std::optional<Span> literal_at(std::string_view text, const SourcePosition& position) {
  const auto at = offset_of(text, position);
  if (!at) return std::nullopt;
  PlanLexer lexer(text.substr(*at), PlanSyntax::python);
  const Token token = lexer.next();
  if (token.kind != TokenKind::string) return std::nullopt;
  return Span{*at, token.span.length};
}

std::string with_edits(std::string_view text, const std::vector<TextEdit>& edits) {
  std::string out;
  std::size_t at = 0;
  for (const TextEdit& edit : edits) {
    out += text.substr(at, edit.span.offset - at);
    out += edit.text;
    at = edit.span.offset + edit.span.length;
  }
  return out += text.substr(at);
}

std::optional<std::vector<TextEdit>> text_edits(std::string_view text, const Plan& plan,
                                                const std::vector<PatchOperation>& patch) {
  auto edits = Editor(text, plan).run(patch);
  if (!edits || overlap(*edits)) return std::nullopt;
  const auto changed = read_plan(with_edits(text, *edits), plan.name);
  if (!changed || !(*changed == apply_patch(plan, patch))) return std::nullopt;
  return edits;
}

}  // namespace tpsim::cli
