// Names of strategies: which Transformers release knows which name, and what means the same where.
#include <algorithm>
#include <array>
#include <charconv>

#include "core/strategy.h"

namespace tpsim {
namespace {

inline constexpr Dialect kNever{99, 0, 0};

// Releases from `first` up to, not including, `end`.
struct Span {
  Dialect first, end;
};

struct Entry {
  StrategyInfo info;
  std::array<Span, 3> known{};  // unused spans are empty
};

constexpr Span from(int major, int minor) { return {{major, minor, 0}, kNever}; }
constexpr Span between(Dialect first, Dialect end) { return {first, end}; }

using enum StrategyKind;

// Spans from the registries of the releases themselves, 4.47.1 to 5.23.0. 4.52.1 withdrew `replicate`, 4.52.2 brought
// it back.
constexpr Entry kEntries[] = {
    {{colwise, "colwise", "cut output features; the output stays cut", "4.47-5.23"}, {from(4, 47)}},
    {{rowwise, "rowwise", "cut input features of a cut input; all-reduce the output", "4.47-5.23"}, {from(4, 47)}},
    {{colwise_gather_output, "colwise_gather_output", "cut output features, all-gather the output", "5.1-5.23"},
     {from(5, 1)}},
    {{colwise_gather_output, "colwise_rep", "older name of colwise_gather_output", "4.47-5.0, 5.16-5.23"},
     {between({4, 47, 0}, {5, 1, 0}), from(5, 16)}},
    {{rowwise_split_input, "rowwise_split_input",
      "cut input features, cut the whole input locally, all-reduce the output", "5.1-5.23"},
     {from(5, 1)}},
    {{rowwise_split_input, "rowwise_rep", "older name of rowwise_split_input", "4.49-5.0, 5.16-5.23"},
     {between({4, 49, 0}, {5, 1, 0}), from(5, 16)}},
    {{packed_colwise, "packed_colwise", "cut each of two packed blocks (gate | up) of output features", "5.1-5.23"},
     {from(5, 1)}},
    {{packed_rowwise, "packed_rowwise", "cut each of two packed blocks of the last dimension; parameters only",
      "5.1-5.23"},
     {from(5, 1)}},
    {{embedding_rowwise, "embedding_rowwise", "cut the vocabulary, look up own ids, all-reduce", "5.1-5.23"},
     {from(5, 1)}},
    {{embedding_colwise, "embedding_colwise", "cut the embedding's hidden dimension, all-gather",
      "5.4-5.15, 5.21-5.23"},
     {between({5, 4, 0}, {5, 16, 0}), from(5, 21)}},
    {{sequence_parallel, "sequence_parallel", "norm over shards of the sequence; another meaning in each generation",
      "4.51-5.23"},
     {from(4, 51)}},
    {{replicate, "replicate", "full copy on every rank", "4.52-5.0, 5.21-5.23"},
     {between({4, 52, 0}, {4, 52, 1}), between({4, 52, 2}, {5, 1, 0}), from(5, 21)}},
    {{local_colwise, "local_colwise", "colwise on plain tensors, no hooks", "4.50-5.0"},
     {between({4, 50, 0}, {5, 1, 0})}},
    {{local_rowwise, "local_rowwise", "rowwise on plain tensors, no hooks: an outer module must reduce", "4.50-5.0"},
     {between({4, 50, 0}, {5, 1, 0})}},
    {{local_packed_rowwise, "local_packed_rowwise", "packed_rowwise on plain tensors, no hooks", "4.50-5.0"},
     {between({4, 50, 0}, {5, 1, 0})}},
    {{local, "local", "full copy outside DTensor, divided by the ranks so that a later sum restores it", "4.50-5.0"},
     {between({4, 50, 0}, {5, 1, 0})}},
    {{gather, "gather", "all-reduce of the module's output, in spite of the name", "4.50-5.0"},
     {between({4, 50, 0}, {5, 1, 0})}},
    {{all_reduce, "all_reduce", "all-reduce of the module's output", "5.10-5.23"}, {from(5, 10)}},
    {{replicated_with_grad_allreduce, "replicated_with_grad_allreduce",
      "full copy, gradients of its parameters all-reduced", "5.3-5.23"},
     {from(5, 3)}},
    {{mla_kv_a_proj, "mla_kv_a_proj", "full copy, gradient of the rope columns of its output all-reduced", "5.3-5.23"},
     {from(5, 3)}},
    {{moe_tp_experts, "moe_tp_experts", "all-reduce of the experts' output", "5.1-5.23"}, {from(5, 1)}},
    {{moe_identity_expert, "moe_identity_expert", "input of an identity expert divided by the ranks", "5.3-5.23"},
     {from(5, 3)}},
    {{grouped_gemm, "grouped_gemm", "whole experts on each rank", "4.54-5.23"}, {from(4, 54)}},
    {{ep_router, "ep_router", "router keeps the routes to own experts", "4.54-5.22"},
     {between({4, 54, 0}, {5, 23, 0})}},
    {{ep_dispatch_experts, "ep_dispatch_experts", "tokens travel to their experts and back", "5.19-5.23"},
     {from(5, 19)}},
    {{local_params, "local_params", "run the module on the local pieces of its own parameters", "5.23"}, {from(5, 23)}},
    {{megamoe_router, "megamoe_router", "router beside a fused expert kernel; untouched", "5.10-5.22"},
     {between({5, 10, 0}, {5, 23, 0})}},
    {{megamoe_experts, "megamoe_experts", "dispatch and combine inside one expert kernel", "5.10-5.22"},
     {between({5, 10, 0}, {5, 23, 0})}},
    {{megatron_sequence_parallel, "megatron_sequence_parallel",
      "sequence cut between blocks: all-gather before, reduce-scatter after", "tpsim", true}},
    {{vocab_parallel_padded, "vocab_parallel_padded", "vocabulary cut, rows padded to a multiple of the ranks", "tpsim",
      true}},
    {{kv_replicate, "kv_replicate", "kv heads repeated so that every rank has whole ones", "tpsim", true}},
    {{packed_colwise_n, "packed_colwise_3", "cut each of three packed blocks (q | k | v); _2 to _64 for other counts",
      "tpsim", true}},
    {{all_to_all_experts, "all_to_all_experts", "whole experts on each rank, tokens exchanged, any dialect", "tpsim",
      true}},
};

// Names that mean the same, newest first. In a pair marked one-way only the second can stand for the first.
struct Synonym {
  std::string_view name, same;
  bool one_way = false;
};
constexpr Synonym kSynonyms[] = {
    {"colwise_rep", "colwise_gather_output"},   {"rowwise_rep", "rowwise_split_input"},
    {"local_packed_rowwise", "packed_rowwise"}, {"gather", "all_reduce"},
    {"local_colwise", "colwise", true},
};

constexpr std::string_view kPackedPrefix = "packed_colwise_";
constexpr int kMaxPackedBlocks = 64;

bool knows(const Entry& entry, const Dialect& dialect) {
  return entry.info.extension || std::ranges::any_of(entry.known, [&](const Span& span) {
           return span.first <= dialect && dialect < span.end;
         });
}

const Entry* find_entry(std::string_view name) {
  const auto* found = std::ranges::find(kEntries, name, [](const Entry& entry) { return entry.info.name; });
  return found == std::end(kEntries) ? nullptr : found;
}

bool is_packed_family(std::string_view name) {
  if (!name.starts_with(kPackedPrefix)) return false;
  const auto digits = name.substr(kPackedPrefix.size());
  int blocks = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), blocks);
  return status == std::errc() && end == digits.data() + digits.size() && blocks >= 2 && blocks <= kMaxPackedBlocks;
}

bool accepts(std::string_view name, const Dialect& dialect) {
  const auto* entry = find_entry(name);
  return entry != nullptr && !entry->info.extension && knows(*entry, dialect);
}

}  // namespace

const std::vector<StrategyInfo>& strategy_catalogue() {
  static const std::vector<StrategyInfo> catalogue = [] {
    std::vector<StrategyInfo> infos;
    for (const auto& entry : kEntries) infos.push_back(entry.info);
    return infos;
  }();
  return catalogue;
}

std::optional<StrategyKind> find_strategy(std::string_view name, const Dialect& dialect) {
  if (is_packed_family(name)) return packed_colwise_n;
  const auto* entry = find_entry(name);
  if (entry == nullptr || !knows(*entry, dialect)) return std::nullopt;
  return entry->info.kind;
}

bool is_extension(std::string_view name) {
  const auto* entry = find_entry(name);
  return is_packed_family(name) || (entry != nullptr && entry->info.extension);
}

std::vector<std::string_view> strategy_names(const Dialect& dialect) {
  std::vector<std::string_view> names;
  for (const auto& entry : kEntries)
    if (!entry.info.extension && knows(entry, dialect)) names.push_back(entry.info.name);
  return names;
}

std::optional<std::string_view> equivalent_name(std::string_view name, const Dialect& dialect) {
  if (accepts(name, dialect)) return find_entry(name)->info.name;
  for (const auto& synonym : kSynonyms) {
    if (name == synonym.name && accepts(synonym.same, dialect)) return synonym.same;
    if (name == synonym.same && !synonym.one_way && accepts(synonym.name, dialect)) return synonym.name;
  }
  return std::nullopt;
}

}  // namespace tpsim
