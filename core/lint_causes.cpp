#include "core/lint_causes.h"

#include <algorithm>

namespace tpsim {
namespace {

std::string text(std::int64_t n) { return std::to_string(n); }

// A side of an operation: the modules that it comes from, with what is known of them.
struct Side {
  const Operand* operand = nullptr;
  std::vector<ModuleFact> modules;
  std::vector<int> rules;  // on the modules

  std::string names() const {
    std::vector<std::string> short_names;
    for (const ModuleFact& fact : modules) short_names.push_back(short_name(fact.pattern));
    return listed(short_names);
  }
  std::string are() const { return is_or_are(modules.size()); }
  std::int64_t features() const { return operand->local.rank() == 0 ? 1 : operand->local[-1]; }
};

Side side_of(const LintFacts& f, const Operand& operand) {
  Side side{&operand, {}, {}};
  for (const std::string& path : f.in_model_order(operand.modules))
    if (auto fact = f.module(path)) {
      side.modules.push_back(std::move(*fact));
      side.rules.push_back(f.module_rule(path));
    }
  return side;
}

bool is_norm(const ModuleFact& fact) {
  return fact.kind == ModuleKind::rms_norm || fact.kind == ModuleKind::layer_norm;
}

// "(colwise)", "(no rule)".
std::string rule_words(const LintFacts& f, const Side& side) {
  std::vector<std::string> strategies;
  for (std::size_t i = 0; i < side.modules.size(); ++i) {
    const ResolvedRule* rule = f.rule(side.rules[i] >= 0 ? side.rules[i] : side.modules[i].rule);
    if (rule == nullptr && is_norm(side.modules[i])) continue;
    strategies.push_back(rule == nullptr ? "no rule" : rule->rule.strategy);
  }
  return strategies.empty() ? "" : " (" + listed(strategies) + ")";
}

// The diagnostic is about this side: its first module, that module's rule.
void blame(const LintFacts& f, const Side& side, Diagnostic& d) {
  const ModuleFact& fact = side.modules.front();
  d.where = fact.pattern;
  d.count = static_cast<int>(fact.weight->count);
  d.rule.clear();
  d.position = {};
  attach_rule(f.analysis, side.rules.front() >= 0 ? side.rules.front() : fact.rule, d);
  if (!d.rule.empty() || fact.is_split()) return;
  std::int64_t bytes = 0;
  for (const ModuleFact& m : side.modules) bytes += f.replicated_bytes(generalised(m.pattern));
  if (bytes > 0) d.effect_bytes = bytes;
}

bool cut_along_features(const Operand& o) { return o.content == Content::sharded && o.dim == o.ideal.rank() - 1; }

// Per rank and whole, where they differ: "64 of 128".
std::string part_of(const Operand& o) {
  const std::int64_t local = o.local[-1], whole = o.ideal[-1];
  return local == whole ? text(whole) : text(local) + " of " + text(whole);
}

// The kinds of causes, each told in its own words; false: not of this kind.

bool tell_logits(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  if (!c.module.empty() || sides.size() != 1 || sides.front().modules.empty()) return false;
  const Side& head = sides.front();
  blame(f, head, d);
  const std::string name = head.names();
  if (c.code == "TP108")
    d.message = name + rule_words(f, head) + " leaves the logits split: every rank returns " + part_of(*head.operand) +
                " columns";
  else if (c.code == "TP106")
    d.message = name + rule_words(f, head) + " leaves partial sums as logits: nothing adds them up";
  else
    return false;
  d.details.push_back("the model's caller gets rank 0's tensor of " + to_string(head.operand->local) + " instead of " +
                      to_string(head.operand->ideal));
  return true;
}

// A weight gets an input that is not cut as its own input features are.
bool tell_consumer(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  const bool suits = c.code == "TP108" || c.code == "TP105" || c.code == "TP106";
  if (!suits || sides.empty()) return false;
  const auto consumer = f.module(c.module);
  if (!consumer ||
      (consumer->kind != ModuleKind::linear && consumer->kind != ModuleKind::conv1d && !is_norm(*consumer)))
    return false;
  const Side& input = sides.front();
  const Side self{input.operand, {*consumer}, {f.module_rule(c.module)}};
  const std::string name = short_name(consumer->pattern), from = input.names();
  const std::string source = from.empty() ? "its input" : from;
  const Operand& o = *input.operand;
  const Shard* shard = std::get_if<Shard>(&consumer->weight->placement);
  const int inputs = consumer->kind == ModuleKind::conv1d ? 0 : 1;
  const bool takes_split = consumer->weight->shape.rank() == 2 && shard != nullptr && (shard->dim + 2) % 2 == inputs;
  if (o.content == Content::partial) {
    blame(f, input.modules.empty() ? self : input, d);
    d.message = name + " reads partial sums of " + source + ": nothing adds them up before";
    return true;
  }
  if (c.code == "TP106") return false;
  blame(f, self, d);
  const ResolvedRule* rule = f.rule(self.rules.front());
  if (o.content == Content::wrong && rule != nullptr &&
      (rule->rule.strategy == "rowwise_split_input" || rule->rule.strategy == "rowwise_rep")) {
    d.message = name + rule_words(f, self) + " cuts its input on each rank, but " + source + rule_words(f, input) +
                " " + (input.modules.size() > 1 ? "leave" : "leaves") + " it cut already: " + text(o.local[-1]) +
                " features are left";
    return true;
  }
  if (cut_along_features(o) && !takes_split) {
    const std::string why = d.rule.empty() && !is_norm(*consumer) ? " has no rule and" : rule_words(f, self);
    d.message = name + why + " needs all " + text(o.ideal[-1]) + " input features, but " + source +
                rule_words(f, input) + " " + (input.modules.size() > 1 ? "leave " : "leaves ") + text(o.local[-1]) +
                " on each rank";
    return true;
  }
  if (o.content == Content::replicated && takes_split) {
    const std::int64_t rows = consumer->weight->ranks.front().shape[inputs];
    d.message = name + rule_words(f, self) + " takes " + text(rows) +
                " input features a rank, but its input is whole: " + source +
                (from.empty() ? " has " : rule_words(f, input) + (input.modules.size() > 1 ? " give " : " gives ")) +
                "all " + text(o.local[-1]);
    return true;
  }
  return false;
}

bool tell_sequence_parallel(const LintFacts& f, const Cause& c, const std::vector<Side>&, Diagnostic& d) {
  const ResolvedRule* rule = f.rule(f.module_rule(c.module));
  if (rule == nullptr || rule->rule.strategy != "sequence_parallel" ||
      f.analysis.dialect.generation() != Generation::plain_hooks)
    return false;
  d.message = "sequence_parallel on " + short_name(c.module) + " gathers its input along the features, so " +
              text(f.analysis.ranks()) + " times as many meet the norm's weight";
  return true;
}

// The side of an elementwise operation that is cut, and the one that is not.
bool tell_partner(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  if (c.code != "TP108" || sides.size() < 2 || f.module(c.module)) return false;
  const auto is_cut = [](const Side& s) { return s.operand->content == Content::sharded; };
  const auto cut = std::find_if(sides.begin(), sides.end(), is_cut);
  const auto whole = std::find_if(sides.begin(), sides.end(), [&](const Side& s) { return !is_cut(s); });
  if (cut == sides.end() || whole == sides.end() || cut->modules.empty()) return false;
  const bool residual = whole->operand->from_outside || whole->modules.empty();
  blame(f, residual ? *cut : *whole, d);
  if (residual)
    d.message = cut->names() + rule_words(f, *cut) + " gives each rank " + part_of(*cut->operand) +
                " features, and they meet the residual stream, which is whole";
  else
    d.message = whole->names() + rule_words(f, *whole) + " gives all " + text(whole->features()) +
                " features although " + cut->names() + rule_words(f, *cut) + " gives " + part_of(*cut->operand);
  if (!residual && d.rule.empty())
    d.message = whole->names() + " " + whole->are() + " not split although " + cut->names() + " " + cut->are() +
                rule_words(f, *cut) + ": " + text(whole->features()) + " features meet " + text(cut->features());
  return true;
}

bool split_heads(const Side& s) { return s.operand->content == Content::sharded; }

bool tell_attention(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  if (c.code != "TP109" || sides.size() < 3) return false;
  const Side &q = sides[0], &k = sides[1], &v = sides[2];
  if (q.modules.empty() || k.modules.empty() || v.modules.empty()) return false;
  if (split_heads(q) == split_heads(k) && split_heads(q) == split_heads(v)) return false;
  Side split{nullptr, {}, {}}, whole{nullptr, {}, {}};
  for (const Side* s : {&q, &k, &v}) {
    Side& into = split_heads(*s) ? split : whole;
    if (into.operand == nullptr) into.operand = s->operand;
    into.modules.insert(into.modules.end(), s->modules.begin(), s->modules.end());
    into.rules.insert(into.rules.end(), s->rules.begin(), s->rules.end());
  }
  blame(f, whole, d);
  const std::int64_t local = q.operand->local[1], kv = k.operand->local[1];
  d.message = whole.names() + " " + whole.are() + (d.rule.empty() ? " not split" : " whole" + rule_words(f, whole)) +
              " although " + split.names() + " " + split.are() + rule_words(f, split) + ": each rank has " +
              text(local) + " of " + text(q.operand->ideal[1]) + " query heads and " + text(kv) + " of " +
              text(k.operand->ideal[1]) + " key/value heads";
  if (k.operand->ideal[1] > 1 && !split_heads(k))
    d.details.push_back("leaving k and v whole is right for one key/value head only: the code repeats each head " +
                        text(q.operand->ideal[1] / k.operand->ideal[1]) + " times, counted for the whole model");
  return true;
}

// The modules of the same block that are cut into the same rows: v_proj beside k_proj.
std::string with_siblings(const LintFacts& f, const ModuleFact& fact) {
  const std::string block = fact.pattern.substr(0, fact.pattern.rfind('.'));
  std::vector<std::string> names;
  for (const ModuleName& name : f.names()) {
    if (name.is_parameter || name.pattern.substr(0, name.pattern.rfind('.')) != generalised(block)) continue;
    const std::string path = block + name.pattern.substr(name.pattern.rfind('.'));
    for (const ShardSpec& s : f.analysis.shards)
      if (s.pattern.starts_with(path + ".") && s.shape == fact.weight->shape && s.strategy == fact.weight->strategy)
        names.push_back(short_name(path));
  }
  return names.empty() ? short_name(fact.pattern) : listed(names);
}

std::string article(std::int64_t n) { return n == 8 || n / 10 == 8 ? "an " : "a "; }

std::string head_kind(const Model& model, std::int64_t heads) {
  if (model.kv_heads != model.query_heads && heads == model.kv_heads) return " key/value heads";
  return heads == model.query_heads ? " query heads" : " heads";
}

bool tell_heads(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  if (c.code != "TP102" || sides.empty() || sides.front().modules.empty()) return false;
  const Side& side = sides.front();
  const std::int64_t features = side.operand->ideal[-1], local = side.operand->local[-1];
  const std::int64_t width = f.model.head_dim;
  blame(f, side, d);
  if (width <= 0 || features % width != 0 || features == local) return true;
  const std::int64_t heads = features / width;
  d.message =
      text(heads) + head_kind(f.model, heads) + " cannot be split over " + text(f.analysis.parallelism.tp) + " ranks";
  const std::string part = local * 2 == width ? "half of " + article(width) + text(width) + "-row head"
                                              : "no whole number of " + text(width) + "-row heads";
  d.details.insert(d.details.begin(), with_siblings(f, side.modules.front()) + ": " + text(features) + " rows / " +
                                          text(f.analysis.parallelism.tp) + " = " + text(local) + " rows on rank 0, " +
                                          part);
  d.details.push_back("the model loads and fails in the first forward (huggingface/transformers#48307)");
  return true;
}

// Why nothing reduces the side's partial sums.
std::string missing_reduction(const LintFacts& f, const Side& side) {
  const ModuleFact& fact = side.modules.front();
  const ResolvedRule* weight_rule = f.rule(fact.rule);
  if (weight_rule == nullptr) return "";
  if (f.names_parameter(weight_rule->rule.key))
    return "the rule's key names the parameter: the weight is cut, and the module gets no all-reduce";
  if (side.rules.front() < 0)
    return "the rule cuts the weight, and its key " + quoted(weight_rule->rule.key) +
           " names no module to put the all-reduce on";
  return weight_rule->rule.strategy + " adds no all-reduce in this version";
}

bool tell_unreduced(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  if (c.code != "TP106") return false;
  const auto partial = std::find_if(sides.begin(), sides.end(), [](const Side& s) {
    return s.operand->content == Content::partial && !s.modules.empty();
  });
  if (partial == sides.end()) return false;
  blame(f, *partial, d);
  d.message = "nothing adds up the partial sums of " + partial->names() + ": each rank holds one summand of " +
              text(f.analysis.ranks());
  if (const std::string why = missing_reduction(f, *partial); !why.empty()) d.details.push_back(why);
  return true;
}

// A reduction or gathering of what every rank holds complete.
bool tell_doubled(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  if (c.code != "TP107") return false;
  const auto scaled = std::find_if(sides.begin(), sides.end(), [](const Side& s) { return s.operand->scale != 1; });
  if (scaled != sides.end() && !scaled->operand->collectives.empty()) {
    const std::string& module = scaled->operand->collectives.front();
    const int rule = f.module_rule(module);
    if (rule < 0) return false;
    d.where = generalised(module);
    attach_rule(f.analysis, rule, d);
    d.message = f.rule(rule)->rule.strategy + " on " + short_name(module) +
                " sums what every rank holds complete: the result is " + times(scaled->operand->scale) +
                " times too large";
    const auto names = f.names();
    const auto named =
        std::find_if(names.begin(), names.end(), [&](const ModuleName& n) { return n.pattern == d.where; });
    if (named != names.end()) d.count = static_cast<int>(named->count);
    return true;
  }
  const auto self = f.module(c.module);
  const int own_rule = f.module_rule(c.module);
  if (self && self->is_split() && self->kind == ModuleKind::embedding && own_rule >= 0) {
    d.message = f.rule(own_rule)->rule.strategy + " on " + short_name(c.module) +
                " gathers token ids that every rank has whole: " + text(f.analysis.ranks()) +
                " times as many positions come out";
    return true;
  }
  if (!self || self->is_split() || sides.size() != 1 || scaled != sides.end()) return false;
  blame(f, Side{sides.front().operand, {*self}, {f.module_rule(c.module)}}, d);
  d.effect_bytes.reset();
  d.message = short_name(c.module) + "'s weight is not split, so gathering its output makes it " +
              text(f.analysis.ranks()) + " times too wide";
  const bool tied = generalised(c.module) + ".weight" != generalised(self->weight->pattern);
  if (tied) d.details.push_back("the weight is " + self->weight->pattern + " (tied), which no rule splits");
  return true;
}

bool tell_unwrapped(const LintFacts& f, const Cause& c, const std::vector<Side>&, Diagnostic& d) {
  if (c.code != "TP120") return false;
  const auto self = f.module(c.module);
  if (!self || !self->is_split()) return false;
  const int rule = f.module_rule(c.module);
  blame(f, Side{nullptr, {*self}, {rule}}, d);
  const ResolvedRule* weight_rule = f.rule(self->rule);
  const std::string name = short_name(self->pattern);
  if (weight_rule != nullptr && f.names_parameter(weight_rule->rule.key)) {
    attach_rule(f.analysis, self->rule, d);
    d.message = name + "'s weight is split, but the key names the parameter, so the module's forward is not wrapped";
  } else {
    d.message = name + "'s weight is split (a DTensor), but " +
                (rule < 0 ? "no rule wraps the module" : f.rule(rule)->rule.strategy + " does not wrap the module");
  }
  return true;
}

bool tell_norm(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  if (c.code != "TP125" || sides.empty() || sides.front().modules.empty()) return false;
  const Side& input = sides.front();
  d.message = short_name(c.module) + " takes its statistics over " + part_of(*input.operand) +
              " features: " + input.names() + rule_words(f, input) + " leaves each rank a part";
  if (const auto self = f.module(c.module)) d.count = static_cast<int>(self->weight->count);
  return true;
}

// A fused tensor whose shards do not hold matching pieces.
bool tell_fused(const LintFacts& f, const Cause& c, const std::vector<Side>& sides, Diagnostic& d) {
  if (c.code != "TP105" || sides.empty() || sides.front().modules.empty() || !sides.front().modules.front().is_split())
    return false;
  const Side& fused = sides.front();
  blame(f, fused, d);
  d.message = fused.names() + rule_words(f, fused) +
              " holds several matrices one behind the other, and its shards cut across them: rank 0 gets " +
              part_of(*fused.operand) + " rows from the start";
  return true;
}

std::string place_words(const LintFacts& f, const std::string& path) {
  return path.empty() ? f.model.class_name : generalised(path);
}

}  // namespace

Diagnostic diagnose(const LintFacts& f, const Cause& cause) {
  Diagnostic d;
  d.code = cause.code;
  d.severity = Severity::error;
  d.where = place_words(f, cause.module);
  d.message = cause.message;
  d.details = cause.details;
  attach_rule(f.analysis, cause.rule, d);
  const std::string place = generalised(cause.module);
  if (f.names_parameter(place)) {
    d.where = place.substr(0, place.rfind('.'));
    if (const auto self = f.module(cause.module.substr(0, cause.module.rfind('.'))))
      d.count = static_cast<int>(self->weight->count);
  }
  if (const auto self = f.module(cause.module)) d.count = static_cast<int>(self->weight->count);
  std::vector<Side> sides;
  for (const Operand& operand : cause.operands) sides.push_back(side_of(f, operand));
  for (const auto tell : {tell_logits, tell_sequence_parallel, tell_consumer, tell_partner, tell_attention, tell_heads,
                          tell_unreduced, tell_doubled, tell_unwrapped, tell_norm, tell_fused})
    if (tell(f, cause, sides, d)) break;
  if (!cause.library.empty()) d.details.push_back(to_string(f.analysis.dialect) + ": " + cause.library);
  return d;
}

std::set<std::string> involved_modules(const LintFacts& f, const Cause& cause) {
  std::set<std::string> modules;
  if (!cause.module.empty()) modules.insert(generalised(cause.module));
  for (const Operand& operand : cause.operands) {
    for (const std::string& path : operand.modules) modules.insert(generalised(path));
    for (const std::string& path : operand.collectives) modules.insert(generalised(path));
  }
  std::set<std::string> patterns;
  for (const std::string& m : modules)
    if (f.names_something(m)) patterns.insert(m);
  return patterns;
}

}  // namespace tpsim
