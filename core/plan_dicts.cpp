#include "core/plan_dicts.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>

namespace tpsim {

void set_fault(DictLiteral& dict, TextPlace place, std::string message, std::vector<std::string> fixes) {
  if (!dict.fault) dict.fault = DictFault{place, std::move(message), std::move(fixes)};
}

void note_other_key(DictLiteral& dict, const std::string& key) {
  constexpr std::size_t enough = 64;
  if (dict.other_keys.size() < enough) dict.other_keys.push_back(key);
}

TextPlace place_of(const Token& token) { return {token.line, token.column, token.span}; }

bool ends_in(std::string_view binding, std::string_view name) {
  if (binding.size() < name.size()) return false;
  const auto tail = binding.substr(binding.size() - name.size());
  return std::equal(tail.begin(), tail.end(), name.begin(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

bool names_a_plan(std::string_view binding) {
  return ends_in(binding, "tp_plan") || ends_in(binding, "ep_plan") || ends_in(binding, "pp_plan");
}

std::vector<std::pair<std::size_t, std::size_t>> repeated_keys(const std::vector<DictEntry>& entries) {
  std::unordered_map<std::string_view, std::size_t> first;
  first.reserve(entries.size());
  std::vector<std::pair<std::size_t, std::size_t>> repeated;
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (const auto [found, fresh] = first.try_emplace(entries[i].key, i); !fresh)
      repeated.emplace_back(found->second, i);
  return repeated;
}

}  // namespace tpsim
