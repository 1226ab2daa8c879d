#include "core/matching.h"

#include "tests/catch.hpp"

using namespace tpsim;

namespace {

constexpr Dialect k449{4, 49, 0}, k453{4, 53, 0}, k457{4, 57, 0}, k500{5, 0, 0}, k515{5, 15, 0}, k516{5, 16, 0},
    k523{5, 23, 0};

Matcher matcher(const std::vector<std::string>& keys, const Dialect& dialect) {
  std::vector<ResolvedRule> rules;
  for (const auto& key : keys) rules.push_back({{key, "colwise", {}, {}}, RuleOrigin::user, true, 0, 0});
  return {rules, dialect};
}

}  // namespace

TEST_CASE("normalise_name: 4.50 to 4.57 replace every run of digits", "[matching]") {
  CHECK(normalise_name("model.layers.13.mlp.fc1.weight", k457) == "model.layers.*.mlp.fc*.weight");
  CHECK(normalise_name("layers.0.1.w2", k457) == "layers.*.*.w*");
}

TEST_CASE("normalise_name: 5.0 on replaces numbers between dots, the first of two neighbours only", "[matching]") {
  CHECK(normalise_name("model.layers.13.mlp.fc1.weight", k500) == "model.layers.*.mlp.fc1.weight");
  CHECK(normalise_name("blocks.0.1.weight", k500) == "blocks.*.1.weight");
  CHECK(normalise_name("a.0.1.2.w", k523) == "a.*.1.*.w");
  CHECK(normalise_name("layers.7", k523) == "layers.*");
  CHECK(normalise_name("3.weight", k523) == "3.weight");
  CHECK(normalise_name("", k523).empty());
}

TEST_CASE("matching: a digit inside a name never matches in 4.57, and does from 5.0", "[matching]") {
  const std::vector<std::string> keys = {"model.layers.*.mlp.fc1", "model.layers.*.block_sparse_moe.experts.*.w1"};
  const auto old_one = matcher(keys, k457), new_one = matcher(keys, k500);
  for (const std::string module : {"model.layers.3.mlp.fc1", "model.layers.3.block_sparse_moe.experts.5.w1"}) {
    CHECK(old_one.parameter_rule(module + ".weight") == -1);
    CHECK(old_one.module_rule(module) == -1);
    CHECK(new_one.parameter_rule(module + ".weight") >= 0);
    CHECK(new_one.module_rule(module) >= 0);
  }
}

TEST_CASE("matching: a key without the base model's prefix hits weights but no hook in 5.15, nothing elsewhere",
          "[matching]") {
  const std::vector<std::string> keys = {"layers.*.self_attn.q_proj"};
  for (const auto& dialect : {k457, k515, k516, k523}) {
    const auto m = matcher(keys, dialect);
    CHECK(m.module_rule("model.layers.0.self_attn.q_proj") == -1);
    CHECK(m.parameter_rule("model.layers.0.self_attn.q_proj.weight") == (dialect == k515 ? 0 : -1));
  }
}

TEST_CASE("matching: a concrete index cuts that layer's weights in 5.15 without a hook, and matches nowhere else",
          "[matching]") {
  const std::vector<std::string> keys = {"model.layers.0.self_attn.q_proj"};
  for (const auto& dialect : {k457, k515, k516, k523}) {
    const auto m = matcher(keys, dialect);
    CHECK(m.module_rule("model.layers.0.self_attn.q_proj") == -1);
    CHECK(m.parameter_rule("model.layers.0.self_attn.q_proj.weight") == (dialect == k515 ? 0 : -1));
    CHECK(m.parameter_rule("model.layers.10.self_attn.q_proj.weight") == -1);
    CHECK(m.index_sensitive() == (dialect == k515));
  }
}

TEST_CASE("matching: 5.15 searches without anchors, so mlp.gate also takes mlp.gate_proj", "[matching]") {
  const std::vector<std::string> keys = {"model.layers.*.mlp.gate", "lm_head"};
  const auto m = matcher(keys, k515);
  CHECK(m.parameter_rule("model.layers.1.mlp.gate_proj.weight") == 0);
  CHECK(m.module_rule("model.layers.1.mlp.gate_proj") == -1);
  CHECK(m.module_rule("model.layers.1.mlp.gate") == 0);
  CHECK(m.parameter_rule("model.old_lm_head_copy.weight") == 1);
  CHECK_FALSE(m.index_sensitive());
  CHECK(matcher(keys, k516).parameter_rule("model.layers.1.mlp.gate_proj.weight") == -1);
}

TEST_CASE("matching: in 5.0 to 5.15 the first key of equal start wins, from 5.16 on the parameter's own key",
          "[matching]") {
  const std::vector<std::string> module_first = {"model.layers.*.mlp.experts",
                                                 "model.layers.*.mlp.experts.gate_up_proj"};
  const std::string parameter = "model.layers.0.mlp.experts.gate_up_proj";
  CHECK(matcher(module_first, k515).parameter_rule(parameter) == 0);
  CHECK(matcher(module_first, k516).parameter_rule(parameter) == 1);
  CHECK(matcher({module_first[1], module_first[0]}, k515).parameter_rule(parameter) == 0);
  CHECK(matcher(module_first, k457).parameter_rule(parameter) == 1);
}

TEST_CASE("matching: in 5.15 the leftmost match wins over the order of keys", "[matching]") {
  const auto m = matcher({"self_attn.q_proj", "model.layers.*.q_proj"}, k515);
  CHECK(m.parameter_rule("model.layers.2.self_attn.q_proj.weight") == 1);
}

TEST_CASE("matching: a dot in a 5.15 key stands for any character", "[matching]") {
  const auto m = matcher({"mlp.gate.proj"}, k515);
  CHECK(m.parameter_rule("model.layers.2.mlp.gate_proj.weight") == 0);
  CHECK(matcher({"layers...mlp"}, k515).index_sensitive());
}

TEST_CASE("matching: other metacharacters work as in a regular expression in 5.15", "[matching]") {
  CHECK(matcher({"mlp.(gate|up)_proj"}, k515).parameter_rule("model.layers.0.mlp.up_proj.weight") == 0);
  CHECK(matcher({"mlp.(gate|up)_proj"}, k523).parameter_rule("model.layers.0.mlp.up_proj.weight") == -1);
  CHECK(matcher({"^layers"}, k515).parameter_rule("model.layers.0.mlp.up_proj.weight") == -1);
  CHECK_FALSE(is_valid_key("mlp.(gate", k515));
  CHECK_FALSE(is_valid_key("mlp.+*[", k515));
  CHECK(is_valid_key("mlp.(gate", k523));
  CHECK(is_valid_key("model.layers.*.mlp", k515));
}

TEST_CASE("matching: a hostile regular expression ends", "[matching]") {
  const std::string name(300, 'a');
  CHECK(matcher({"(a+)+$b"}, k515).parameter_rule(name) == -1);
  CHECK_FALSE(is_valid_key(std::string(100000, '('), k515));
}

TEST_CASE("matching: a module key covers weight and bias, one level down only", "[matching]") {
  for (const auto& dialect : {k457, k516}) {
    const auto m = matcher({"model.layers.*.mlp"}, dialect);
    CHECK(m.parameter_rule("model.layers.0.mlp.weight") == 0);
    CHECK(m.parameter_rule("model.layers.0.mlp.bias") == 0);
    CHECK(m.parameter_rule("model.layers.0.mlp.up_proj.weight") == -1);
    CHECK(m.module_rule("model.layers.0.mlp") == 0);
  }
}

TEST_CASE("matching: a parameter key installs a hook up to 4.53 only", "[matching]") {
  const std::vector<std::string> keys = {"model.layers.*.mlp.up_proj.weight", "model.layers.*.mlp"};
  CHECK(matcher(keys, k453).module_rule("model.layers.0.mlp.up_proj", "weight") == 0);
  CHECK(matcher(keys, k457).module_rule("model.layers.0.mlp.up_proj", "weight") == -1);
  CHECK(matcher(keys, k453).module_rule("model.layers.0.mlp") == 1);
}

TEST_CASE("matching: up to 4.49 keys are globbed component by component", "[matching]") {
  const auto m = matcher({"model.layers.*.self_attn.q_proj", "model.layers.0.mlp.*_proj"}, k449);
  CHECK(m.module_rule("model.layers.12.self_attn.q_proj") == 0);
  CHECK(m.parameter_rule("model.layers.12.self_attn.q_proj.bias") == 0);
  CHECK(m.parameter_rule("model.layers.0.mlp.up_proj.weight") == 1);
  CHECK(m.parameter_rule("model.layers.1.mlp.up_proj.weight") == -1);
  CHECK(m.module_rule("layers.12.self_attn.q_proj") == -1);
  CHECK(m.index_sensitive());
}

TEST_CASE("matching: an expert plan's router key reaches a dense gate_proj weight in 5.15, not its module",
          "[matching]") {
  const auto m = matcher({"model.layers.*.mlp.gate"}, k515);
  CHECK(m.parameter_rule("model.layers.0.mlp.gate_proj.weight") == 0);
  CHECK(m.module_rule("model.layers.0.mlp.gate_proj") == -1);
}

TEST_CASE("matching: without rules nothing matches", "[matching]") {
  for (const auto& dialect : {k449, k457, k515, k523}) {
    const auto m = matcher({}, dialect);
    CHECK(m.module_rule("model") == -1);
    CHECK(m.parameter_rule("weight") == -1);
    CHECK_FALSE(m.index_sensitive());
  }
}
