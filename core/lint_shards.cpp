#include "core/lint_shards.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/lint_facts.h"
#include "core/plan_keys.h"

namespace tpsim {
namespace {

// A module left whole counts as large from here on: a hundredth of the weights, and at least this much.
constexpr std::int64_t kLargeReplicaBytes = 64 << 20;
constexpr std::int64_t kGroupedRowBytes = 16;

std::string owner(const std::string& parameter) {
  const auto dot = parameter.rfind('.');
  return dot == std::string::npos ? std::string() : parameter.substr(0, dot);
}

Diagnostic about(const Analysis& a, const ShardSpec& spec, const char* code, Severity severity) {
  Diagnostic d;
  d.code = code;
  d.severity = severity;
  d.where = spec.pattern;
  d.count = static_cast<int>(spec.count);
  attach_rule(a, spec.rule, d);
  return d;
}

bool is_table(const Model& model, const ShardSpec& spec) {
  const std::string name = short_name(owner(spec.pattern));
  return spec.count == 1 && spec.shape.rank() == 2 && spec.shape[0] == model.vocab_size &&
         (name == "embed_tokens" || name == "embed_in" || name == "wte" || name == "word_embeddings");
}

bool is_head(const Model& model, const ShardSpec& spec) {
  return spec.count == 1 && spec.shape.rank() == 2 && spec.shape[0] == model.vocab_size && !is_table(model, spec);
}

// The rule that this release has for the module, where its author can state it.
std::optional<Fix> rule_for_replica(const Model& model, const AnalysisRequest& request, const ShardSpec& spec) {
  const Dialect& dialect = request.dialect;
  const std::string module = owner(spec.pattern);
  if (is_table(model, spec)) {
    if (dialect.below(5, 1)) return std::nullopt;
    return Fix{"split the table over the vocabulary",
               {{"add", written_key(model, request, module), "embedding_rowwise"}}};
  }
  if (is_head(model, spec)) {
    if (dialect.below(5, 0) || request.plan.base_plan || (!model.ties.empty() && dialect.below(5, 15)))
      return std::nullopt;
    const char* strategy = dialect.at_least(5, 1) ? "colwise_gather_output" : "colwise_rep";
    return Fix{"split the head over the vocabulary and gather the logits", {{"add", module, strategy}}};
  }
  const ShippedPlans shipped = shipped_plans(model.model_type, dialect);
  const std::string prefix = model.base.empty() ? "" : model.base + ".";
  for (const Rule& rule : shipped.config_plan.rules)
    if (prefix + rule.key == module || prefix + rule.key == spec.pattern)
      return Fix{"add the rules that " + to_string(dialect) + " ships",
                 {{"add", written_key(model, request, prefix + rule.key), rule.strategy}}};
  return std::nullopt;
}

struct Replica {
  std::vector<const ShardSpec*> specs;
  std::int64_t bytes = 0;
};

// Weights of one block stand together, tables and heads alone; in the model's order.
std::vector<Replica> whole_weights(const Model& model, const Analysis& a) {
  std::vector<Replica> replicas;
  std::map<std::string, std::size_t> places;
  for (const ShardSpec& s : a.shards) {
    if (!std::holds_alternative<Replicate>(s.placement) || s.shape.rank() < 2) continue;
    const bool alone = is_table(model, s) || is_head(model, s);
    const std::string module = generalised(owner(s.pattern));
    const auto [place, is_new] = places.try_emplace(alone ? module : owner(module), replicas.size());
    if (is_new) replicas.emplace_back();
    Replica& replica = replicas[place->second];
    replica.specs.push_back(&s);
    replica.bytes += s.bytes * s.count;
  }
  return replicas;
}

// An error about the module says what its copies cost already.
bool is_told(const Analysis& a, const std::string& module) {
  return std::any_of(a.diagnostics.begin(), a.diagnostics.end(), [&](const Diagnostic& d) {
    return d.severity == Severity::error && d.effect_bytes && generalised(d.where) == module;
  });
}

std::string replica_words(const Replica& replica) {
  std::vector<std::string> names;
  for (const ShardSpec* s : replica.specs) names.push_back(short_name(owner(s->pattern)));
  const ShardSpec& first = *replica.specs.front();
  if (replica.specs.size() == 1)
    return generalised(owner(first.pattern)) + " is replicated on every rank (" +
           (first.count > 1 ? std::to_string(first.count) + " x " : "") + to_string(first.shape) + ")";
  const std::set<std::string> distinct(names.begin(), names.end());
  return listed(names) + " of " + owner(generalised(owner(first.pattern))) + " " + is_or_are(distinct.size()) +
         " replicated on every rank";
}

// As a fix: the rules that this release has for these weights.
void add_rules(const Model& model, const AnalysisRequest& request, const std::vector<const ShardSpec*>& specs,
               Diagnostic& d) {
  Fix fix;
  for (const ShardSpec* s : specs)
    if (auto own = rule_for_replica(model, request, *s)) {
      if (fix.title.empty()) fix.title = own->title;
      for (PatchOperation& op : own->patch)
        if (std::find(fix.patch.begin(), fix.patch.end(), op) == fix.patch.end()) fix.patch.push_back(std::move(op));
    }
  if (!fix.patch.empty()) d.fixes.push_back(std::move(fix));
}

// What the layers of one list have at one place: "model.layers.*.linear_attn".
struct LayerBlock {
  std::set<int> layers;
  std::vector<const ShardSpec*> specs;  // its matrices
  std::int64_t bytes = 0;
  bool is_covered = false;
};
using LayerBlocks = std::map<std::string, LayerBlock>;

// By the list ("model.layers.*"), then by block.
std::map<std::string, LayerBlocks> layer_blocks(const Analysis& a) {
  std::map<std::string, LayerBlocks> lists;
  for (const ShardSpec& s : a.shards) {
    const auto star = s.pattern.find(".*.");
    if (star == std::string::npos || s.shape.rank() < 2 || s.indices.empty()) continue;
    const auto end = s.pattern.find('.', star + 3);
    if (end == std::string::npos) continue;
    LayerBlock& block = lists[s.pattern.substr(0, star + 2)][s.pattern.substr(0, end)];
    block.layers.insert(s.indices.front().begin(), s.indices.front().end());
    block.specs.push_back(&s);
    block.bytes += s.bytes * s.count;
    block.is_covered = block.is_covered || s.rule >= 0;
  }
  return lists;
}

bool share_layers(const LayerBlock& a, const LayerBlock& b) {
  return std::any_of(a.layers.begin(), a.layers.end(), [&](int layer) { return b.layers.contains(layer); });
}

// Of blocks that stand for each other in layers of different kinds, those that no rule names though another is covered.
std::set<std::string> uncovered_kinds(const Model& model, const AnalysisRequest& request, const Analysis& a,
                                      std::vector<Diagnostic>& out) {
  std::set<std::string> found;
  if (a.ranks() == 1) return found;
  for (const auto& [list, blocks] : layer_blocks(a))
    for (const auto& [name, block] : blocks) {
      if (block.is_covered || is_told(a, name)) continue;
      const auto other = std::find_if(blocks.begin(), blocks.end(), [&](const auto& b) {
        return b.second.is_covered && !share_layers(b.second, block);
      });
      if (other == blocks.end()) continue;
      Diagnostic d = about(a, *block.specs.front(), "TP111", Severity::warning);
      d.where = name;
      d.effect_bytes = block.bytes - block.bytes / a.ranks();
      d.message = "the plan covers " + short_name(other->first) + " of " + std::to_string(other->second.layers.size()) +
                  " layers, and leaves " + short_name(name) + " of " + std::to_string(block.layers.size()) + " whole";
      d.details.push_back("these layers do their full work on every rank");
      add_rules(model, request, block.specs, d);
      out.push_back(std::move(d));
      found.insert(name);
    }
  return found;
}

void large_replicas(const Model& model, const AnalysisRequest& request, const Analysis& a,
                    const std::set<std::string>& told, std::vector<Diagnostic>& out) {
  const int ranks = a.ranks();
  if (ranks == 1) return;
  std::int64_t total = 0;
  for (const ShardSpec& s : a.shards) total += s.bytes * s.count;
  for (const Replica& replica : whole_weights(model, a)) {
    if (replica.bytes < kLargeReplicaBytes || replica.bytes * 100 < total) continue;
    const ShardSpec& first = *replica.specs.front();
    const std::string module = generalised(owner(first.pattern));
    const bool is_part =
        std::any_of(told.begin(), told.end(), [&](const auto& t) { return module.starts_with(t + "."); });
    if (is_part || is_told(a, module)) continue;
    Diagnostic d = about(a, first, "TP202", Severity::warning);
    d.effect_bytes = replica.bytes - replica.bytes / ranks;
    d.message = replica_words(replica);
    if (first.rule < 0)
      d.details.push_back("no rule of the plan names " + std::string(replica.specs.size() == 1 ? "it" : "them"));
    add_rules(model, request, replica.specs, d);
    out.push_back(std::move(d));
  }
}

int cut_dim(const ShardSpec& s) {
  const int rank = s.shape.rank();
  const auto wrapped = [rank](int dim) { return dim < 0 ? dim + rank : dim; };
  if (const Shard* shard = std::get_if<Shard>(&s.placement)) return wrapped(shard->dim);
  if (const StridedShard* shard = std::get_if<StridedShard>(&s.placement)) return wrapped(shard->dim);
  return -1;
}

bool is_uneven(const ShardSpec& s) {
  return std::any_of(s.ranks.begin(), s.ranks.end(),
                     [&](const RankShard& r) { return r.shape != s.ranks.front().shape; });
}

void uneven_shards(const Analysis& a, std::vector<Diagnostic>& out) {
  std::map<std::int64_t, std::vector<const ShardSpec*>> by_extent;
  for (const ShardSpec& s : a.shards)
    if (const int dim = cut_dim(s); dim >= 0 && is_uneven(s)) by_extent[s.shape[dim]].push_back(&s);
  for (const auto& [extent, specs] : by_extent) {
    const ShardSpec& first = *specs.front();
    Diagnostic d = about(a, first, "TP208", Severity::warning);
    std::vector<std::string> names;
    std::int64_t extra = 0, most = 0, least = extent;
    for (const ShardSpec* s : specs) {
      names.push_back(short_name(owner(s->pattern)));
      std::int64_t heaviest = 0;
      for (const RankShard& r : s->ranks) {
        heaviest = std::max(heaviest, r.bytes);
        most = std::max(most, r.shape[cut_dim(*s)]);
        least = std::min(least, r.shape[cut_dim(*s)]);
      }
      extra += (heaviest - s->bytes / static_cast<std::int64_t>(s->ranks.size())) * s->count;
    }
    d.message = std::to_string(extent) + " does not divide over " + std::to_string(a.ranks()) +
                " ranks: the heaviest holds " + std::to_string(most) + " of " + listed(names) + ", the lightest " +
                std::to_string(least);
    d.details.push_back("the first ranks decide memory and time");
    d.effect_bytes = extra;
    out.push_back(std::move(d));
  }
}

// Grouped kernels want rows of experts' weights in steps of 16 bytes.
void grouped_alignment(const Analysis& a, std::vector<Diagnostic>& out) {
  if (a.dialect.below(5, 0)) return;
  for (const ShardSpec& s : a.shards) {
    if (s.shape.rank() != 3 || cut_dim(s) <= 0) continue;
    const std::int64_t row = s.ranks.front().shape[2] * element_bits(s.dtype) / 8;
    if (row % kGroupedRowBytes == 0) continue;
    Diagnostic d = about(a, s, "TP211", Severity::warning);
    d.message = "rows of " + std::to_string(row) + " bytes of " + s.pattern +
                " are no multiple of 16 bytes, which grouped kernels need";
    d.details.push_back(to_string(a.dialect) +
                        ": RuntimeError: strides should be multiple of 16 bytes (experts_implementation grouped_mm)");
    d.fixes.push_back({"experts_implementation=\"eager\", or a TP size that leaves whole steps of 16 bytes", {}});
    out.push_back(std::move(d));
    return;
  }
}

std::string strategy_on(const Analysis& a, const std::string& module) {
  for (const ResolvedRule& r : a.rules)
    if (r.rule.key == module) return r.rule.strategy;
  return "";
}

bool cuts_vocabulary(const std::string& strategy) {
  return strategy == "embedding_rowwise" || strategy.starts_with("colwise") || strategy == "vocab_parallel_padded";
}

void tied_apart(const Model& model, const AnalysisRequest& request, const Analysis& a, std::vector<Diagnostic>& out) {
  for (const auto& [own, shared] : model.ties) {
    const std::string head = owner(own), table = owner(shared);
    const std::string on_head = strategy_on(a, head), on_table = strategy_on(a, table);
    if ((on_head.empty() && on_table.empty()) || cuts_vocabulary(on_head) == cuts_vocabulary(on_table)) continue;
    Diagnostic d;
    d.code = "TP207";
    d.severity = Severity::warning;
    d.where = on_head.empty() ? table : head;
    const auto words = [](const std::string& s) { return s.empty() ? std::string("no rule") : s; };
    d.message = table + " (" + words(on_table) + ") and " + head + " (" + words(on_head) +
                ") share one weight but do not split it alike";
    if (a.dialect.at_least(5, 15) && !request.plan.base_plan && cuts_vocabulary(on_head))
      d.fixes.push_back({"split the table over the vocabulary as well",
                         {{on_table.empty() ? "add" : "replace", table, "embedding_rowwise"}}});
    out.push_back(std::move(d));
  }
}

void repeated_gradient_sums(const Analysis& a, std::vector<Diagnostic>& out) {
  for (const ResolvedRule& r : a.rules) {
    if (r.rule.strategy != "replicated_with_grad_allreduce" || r.modules == 0) continue;
    Diagnostic d;
    d.code = "TP212";
    d.severity = Severity::note;
    d.where = r.rule.key;
    d.rule = r.rule.key + ": " + r.rule.strategy;
    d.position = r.rule.position;
    d.message = "with gradient accumulation the gradient of " + short_name(r.rule.key) +
                " is summed over the ranks again at every step";
    d.details.push_back("one step per optimizer update is right; with more, sums of earlier steps are reduced again");
    out.push_back(std::move(d));
    return;
  }
}

void packed_save(const Analysis& a, std::vector<Diagnostic>& out) {
  if (a.dialect.below(5, 16)) return;
  for (const ShardSpec& s : a.shards) {
    if (!std::holds_alternative<StridedShard>(s.placement)) continue;
    Diagnostic d = about(a, s, "TP213", Severity::note);
    d.message = "save_pretrained cannot gather packed shards (" + short_name(owner(s.pattern)) + ") with torch 2.11";
    d.details.push_back(
        "ValueError: use_strided_shard_as_shard_order is True, but placements ... unable to be interpreted");
    out.push_back(std::move(d));
    return;
  }
}

// Modules of a trace whose whole weights work on a split tensor: every rank sees only its part of their gradient.
std::set<int> nodes_on_split_input(const LayerGraph& graph) {
  std::set<int> found;
  for (const GraphEdge& edge : graph.edges)
    if (graph.nodes[static_cast<std::size_t>(edge.to)].has_weights && edge.layout.starts_with("Shard"))
      found.insert(edge.to);
  return found;
}

void partial_gradients(const Analysis& a, std::vector<Diagnostic>& out) {
  std::map<std::string, const ShardSpec*> whole;
  for (const ShardSpec& s : a.shards) whole.emplace(generalised(owner(s.pattern)), &s);
  for (const ShardSpec& s : a.shards)  // a bias is whole beside a cut weight, and its gradient is complete
    if (!std::holds_alternative<Replicate>(s.placement)) whole.erase(generalised(owner(s.pattern)));
  std::vector<std::string> names;
  const ShardSpec* first = nullptr;
  std::set<int> done;
  for (const Step& step : a.steps) {
    if (!done.insert(step.trace).second) continue;
    const LayerGraph& graph = a.traces[static_cast<std::size_t>(step.trace)].graph;
    for (const int node : nodes_on_split_input(graph)) {
      const GraphNode& n = graph.nodes[static_cast<std::size_t>(node)];
      const auto found = whole.find(generalised(step.prefix.empty() ? n.module : step.prefix + "." + n.module));
      if (found == whole.end() || n.strategy == "replicated_with_grad_allreduce") continue;
      names.push_back(short_name(n.module));
      if (first == nullptr) first = found->second;
    }
  }
  if (first == nullptr) return;
  Diagnostic d = about(a, *first, "TP214", Severity::note);
  d.message = "in training, gradients of " + listed(names) + " stay partial: whole weights work on split activations";
  if (a.dialect.at_least(5, 3)) d.details.push_back("replicated_with_grad_allreduce on the module sums them");
  out.push_back(std::move(d));
}

}  // namespace

std::vector<Diagnostic> unwise_shards(const Model& model, const AnalysisRequest& request, const Analysis& analysis) {
  std::vector<Diagnostic> out;
  const auto told = uncovered_kinds(model, request, analysis, out);
  large_replicas(model, request, analysis, told, out);
  tied_apart(model, request, analysis, out);
  uneven_shards(analysis, out);
  grouped_alignment(analysis, out);
  if (analysis.verdict != Verdict::right) return out;
  repeated_gradient_sums(analysis, out);
  packed_save(analysis, out);
  partial_gradients(analysis, out);
  return out;
}

}  // namespace tpsim
