#include "gui/model/find.h"

#include <algorithm>
#include <cctype>

#include "core/characters.h"

namespace tpsim::gui {
namespace {

std::string facts_of(const ModuleRow& row, const cli::Report& report) {
  const Analysis& analysis = report.results.front().forward;
  std::string text = row.path + "\n" + row.pattern + "\n" + row.strategy;
  const auto rank = static_cast<std::size_t>(heaviest_rank(analysis));
  for (const int index : row.specs) {
    const ShardSpec& spec = analysis.shards[static_cast<std::size_t>(index)];
    text += "\n" + to_string(spec.shape);
    if (rank < spec.ranks.size()) text += "\n" + to_string(spec.ranks[rank].shape);
  }
  for (const cli::Problem& p : report.problems)
    if (p.diagnostic.where.find(row.pattern) != std::string::npos) text += "\n" + p.diagnostic.code;
  return lower(text);
}

}  // namespace

std::vector<int> find_hits(const std::vector<ModuleRow>& rows, const cli::Report& report, std::string_view text) {
  std::vector<int> hits;
  const std::string wanted = lower(text);
  if (wanted.empty()) return hits;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i].is_leaf() && facts_of(rows[i], report).find(wanted) != std::string::npos)
      hits.push_back(static_cast<int>(i));
  return hits;
}

}  // namespace tpsim::gui
