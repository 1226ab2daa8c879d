#include "gui/model/modules.h"

#include <algorithm>
#include <map>

#include "core/module_path.h"

namespace tpsim::gui {
namespace {

std::string range_text(const std::vector<int>& indices) {
  if (indices.empty()) return "*";
  const bool whole = indices.back() - indices.front() + 1 == static_cast<int>(indices.size());
  if (indices.size() == 1) return std::to_string(indices.front());
  return std::to_string(indices.front()) + (whole ? "-" : "..") + std::to_string(indices.back());
}

// Grows the tree one parameter set at a time.
class Builder {
public:
  explicit Builder(const Analysis& analysis)
      : analysis_(analysis), rank_(static_cast<std::size_t>(heaviest_rank(analysis))) {}

  void add(int index) {
    const ShardSpec& spec = analysis_.shards[static_cast<std::size_t>(index)];
    auto parts = path_components(spec.pattern);
    parts.pop_back();
    int parent = -1;
    std::size_t star = 0;
    std::string path, pattern;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::string label = parts[i];
      pattern += (i > 0 ? "." : "") + parts[i];
      std::string part = parts[i] == "*" ? range_text(spec.indices[star++]) : parts[i];
      path += (i > 0 ? "." : "") + part;
      if (i + 1 < parts.size() && parts[i + 1] == "*") {  // a list and its elements are one row
        const std::string range = range_text(spec.indices[star++]);
        label += " " + range;
        path += "." + range;
        pattern += ".*";
        ++i;
      }
      parent = row(path, pattern, label, parent);
    }
    if (parent >= 0) own(parent, index, spec);
  }

  std::vector<ModuleRow> finish() {
    std::vector<ModuleRow> ordered;
    append(ordered, -1, -1, 0);
    return ordered;
  }

private:
  int row(const std::string& path, const std::string& pattern, const std::string& label, int parent) {
    const auto known = index_.find(path);
    if (known != index_.end()) return known->second;
    ModuleRow made;
    made.path = path;
    made.pattern = pattern;
    made.label = label;
    made.parent = parent;
    rows_.push_back(std::move(made));
    return index_[path] = static_cast<int>(rows_.size()) - 1;
  }

  void own(int at, int index, const ShardSpec& spec) {
    ModuleRow& leaf = rows_[static_cast<std::size_t>(at)];
    if (leaf.specs.empty()) {
      leaf.rule = spec.rule;
      leaf.strategy = spec.strategy;
      leaf.count = spec.count;
      leaf.first_index = spec.indices.empty() || spec.indices[0].empty() ? 0 : spec.indices[0].front();
    }
    leaf.specs.push_back(index);
    const std::int64_t local = spec.ranks.empty() ? 0 : spec.ranks[rank_].bytes * spec.count;
    for (int i = at; i >= 0; i = rows_[static_cast<std::size_t>(i)].parent) {
      ModuleRow& sum = rows_[static_cast<std::size_t>(i)];
      sum.bytes += spec.bytes * spec.count;
      sum.rank_bytes += local;
      if (cut_dim(spec.placement) < 0) sum.replicated += local;
    }
  }

  void append(std::vector<ModuleRow>& out, int parent, int new_parent, int depth) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].parent != parent) continue;
      ModuleRow copy = rows_[i];
      copy.parent = new_parent;
      copy.depth = depth;
      if (new_parent >= 0) out[static_cast<std::size_t>(new_parent)].has_children = true;
      out.push_back(std::move(copy));
      append(out, static_cast<int>(i), static_cast<int>(out.size()) - 1, depth + 1);
    }
  }

  const Analysis& analysis_;
  std::size_t rank_;
  std::vector<ModuleRow> rows_;
  std::map<std::string, int> index_;
};

bool ends_with_path(std::string_view path, std::string_view end) {
  if (!path.ends_with(end)) return false;
  return path.size() == end.size() || path[path.size() - end.size() - 1] == '.';
}

}  // namespace

std::vector<ModuleRow> module_tree(const Analysis& analysis) {
  Builder builder(analysis);
  for (std::size_t i = 0; i < analysis.shards.size(); ++i) builder.add(static_cast<int>(i));
  return builder.finish();
}

int find_module(const std::vector<ModuleRow>& rows, std::string_view text) {
  if (text.empty()) return -1;
  const auto first = [&](const auto& test) {
    const auto it = std::find_if(rows.begin(), rows.end(), test);
    return it == rows.end() ? -1 : static_cast<int>(it - rows.begin());
  };
  int found = first([&](const ModuleRow& r) { return r.path == text; });
  std::string folded(text);  // digits that are whole components stand for the layer
  for (std::string& part : path_components(text))
    if (part.find_first_not_of("0123456789") == std::string::npos) {
      const auto at = folded.find("." + part + ".");
      if (at != std::string::npos) folded.replace(at + 1, part.size(), "*");
    }
  if (found < 0) found = first([&](const ModuleRow& r) { return r.pattern == folded; });
  if (found < 0) found = first([&](const ModuleRow& r) { return ends_with_path(r.pattern, folded); });
  if (found < 0 && folded.ends_with(".weight")) return find_module(rows, folded.substr(0, folded.size() - 7));
  return found;
}

int find_module(const std::vector<ModuleRow>& rows, const std::string& prefix, const std::string& module) {
  if (module.empty() && prefix.empty()) return -1;
  const std::string pattern = prefix + (prefix.empty() || module.empty() ? "" : ".") + module;
  return find_module(rows, pattern);
}

int strategy_class(std::string_view strategy) {
  const auto has = [&](std::string_view word) { return strategy.find(word) != std::string_view::npos; };
  if (strategy.empty() || has("replicate")) return 4;
  if (has("packed")) return 6;
  if (has("expert") || has("ep_") || has("grouped") || has("moe") || has("router")) return 5;
  if (has("sequence")) return 3;
  if (has("embedding") || has("gather") || has("_rep") || has("vocab")) return 2;
  if (has("colwise") || has("kv_a") || has("local_col")) return 0;
  if (has("rowwise") || has("all_reduce")) return 1;
  return 4;
}

char strategy_letter(std::string_view strategy) {
  switch (strategy_class(strategy)) {
    case 0: return 'C';
    case 1: return 'R';
    case 2: return strategy.find("embedding") != std::string_view::npos ? 'E' : 'G';
    case 3: return 'S';
    case 5: return 'X';
    case 6: return 'P';
    default: return strategy.empty() ? '-' : '=';
  }
}

}  // namespace tpsim::gui
