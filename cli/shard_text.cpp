#include "cli/shard_text.h"

#include "cli/text.h"

namespace tpsim::cli {
namespace {

std::string module_name(const std::string& parameter) {
  const auto last = parameter.rfind('.');
  const auto before = last == std::string::npos ? last : parameter.rfind('.', last - 1);
  return parameter.substr(before == std::string::npos ? 0 : before + 1, last - before - 1);
}

std::string index_range(std::int64_t first, std::int64_t last, std::string_view separator) {
  return first == last ? std::to_string(first) : std::to_string(first) + std::string(separator) + std::to_string(last);
}

}  // namespace

Heads heads_of(const Model& model, const ShardSpec& spec) {
  const std::string module = module_name(spec.pattern);
  const int dim = cut_dim(spec.placement);
  if (dim < 0 || model.head_dim <= 0) return {};
  const bool of_kv = module == "k_proj" || module == "v_proj";
  const bool of_q = module == "q_proj" || (module == "o_proj" && dim == 1);
  const std::int64_t count = of_kv ? model.kv_heads : of_q ? model.query_heads : 0;
  if (count <= 0 || spec.shape[dim] % count != 0) return {};
  return {of_kv ? "kv heads" : "q heads", count, spec.shape[dim] / count};
}

std::string ranges_text(const std::vector<Range>& ranges) {
  std::vector<std::string> texts;
  for (const Range& r : ranges)
    texts.push_back(r.size() > 0 ? std::to_string(r.begin) + ".." + std::to_string(r.end - 1) : "none");
  return texts.empty() ? "all" : joined(texts, ", ");
}

std::string heads_text(const std::vector<Range>& ranges, const Heads& heads) {
  std::vector<std::string> texts;
  for (const Range& r : ranges) {
    if (r.size() == 0) continue;
    const bool whole = r.begin % heads.size == 0 && r.end % heads.size == 0;
    texts.push_back(index_range(r.begin / heads.size, (r.end - 1) / heads.size, "-") + (whole ? "" : " in part"));
  }
  return texts.empty() ? "none" : joined(texts, ", ");
}

std::string spaced_shape(const Shape& shape) {
  std::vector<std::string> extents;
  for (const auto d : shape) extents.push_back(std::to_string(d));
  return extents.empty() ? "scalar" : joined(extents, " x ");
}

std::string dimension_name(const ShardSpec& spec) {
  const int dim = cut_dim(spec.placement);
  if (dim < 0) return "rows";
  if (spec.shape.rank() == 1) return "elements";
  if (spec.shape.rank() == 2) return dim == 0 ? "rows" : "columns";
  return "dim " + std::to_string(dim);
}

}  // namespace tpsim::cli
