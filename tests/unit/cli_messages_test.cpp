#include "cli/messages.h"

#include "cli/module_match.h"
#include "cli/problems.h"
#include "core/json.h"
#include "tests/catch.hpp"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

Diagnostic unknown_strategy() {
  Diagnostic d;
  d.code = "TP101";
  d.where = "model.layers.*.self_attn.q_proj";
  d.rule = "model.layers.*.self_attn.q_proj: colwize";
  d.position = {"plan.json", 2, 38};
  d.message = "unknown strategy \"colwize\"";
  d.details = {"did you mean \"colwise\"?"};
  d.fixes = {{"use \"colwise\"", {{"replace", d.where, "colwise"}}}, {"remove the rule", {{"remove", d.where, ""}}}};
  return d;
}

ShardSpec layers_of(const char* pattern, std::vector<std::vector<int>> indices) {
  ShardSpec spec;
  spec.pattern = pattern;
  spec.indices = std::move(indices);
  return spec;
}

}  // namespace

TEST_CASE("messages: code, what, where with the line, why, fixes last", "[cli]") {
  const char* const plan = "{\n  \"model.layers.*.self_attn.q_proj\": \"colwize\",\n}\n";
  CHECK(diagnostic_text(unknown_strategy(), plan, {}) ==
        "error[TP101]: unknown strategy \"colwize\"\n"
        "  --> plan.json:2:38\n"
        "     2 |   \"model.layers.*.self_attn.q_proj\": \"colwize\",\n"
        "       |                                      ^^^^^^^^^\n"
        "  did you mean \"colwise\"?\n"
        "  fix: use \"colwise\"\n"
        "   or: remove the rule\n");
}

TEST_CASE("messages: without a source the place is the module and its rule", "[cli]") {
  Diagnostic d = unknown_strategy();
  d.position = {};
  d.where = "model.layers.*.self_attn";
  d.count = 48;
  d.details.clear();
  d.fixes.clear();
  d.effect_bytes = 26LL << 30;
  CHECK(diagnostic_text(d, "", {}) ==
        "error[TP101]: unknown strategy \"colwize\"\n"
        "  --> model.layers.*.self_attn   (model.layers.*.self_attn.q_proj: colwize)   (48 places)\n"
        "  effect: 26.00 GiB more per rank\n");
}

TEST_CASE("messages: positions outside the source do not break the excerpt", "[cli]") {
  Diagnostic d = unknown_strategy();
  for (const auto& position : {SourcePosition{"p", 1, 99}, SourcePosition{"p", 99, 1}, SourcePosition{"p", 1, 0}}) {
    d.position = position;
    CHECK(diagnostic_text(d, "x\n", {}).find("TP101") != std::string::npos);
  }
}

TEST_CASE("messages: at most twenty in full, the rest counted", "[cli]") {
  const std::vector<Diagnostic> many(25, unknown_strategy());
  const std::string text = diagnostics_text(many, "", {});
  std::size_t headlines = 0;
  for (auto at = text.find("error[TP101]"); at != std::string::npos; at = text.find("error[TP101]", at + 1))
    ++headlines;
  CHECK(headlines == 20);
  CHECK(text.find("... and 5 more") != std::string::npos);
}

TEST_CASE("messages: errors as text and as a document", "[cli]") {
  Error error = input_error("config.json has no \"x\"", "config.json");
  error.details = {"present and similar: \"y\""};
  error.fixes = {"--set x=1", "another file"};
  CHECK(error_text(error, {}) ==
        "error: config.json has no \"x\"\n"
        "  --> config.json\n"
        "  present and similar: \"y\"\n"
        "  fix: --set x=1\n"
        "   or: another file\n");
  const auto document = parse_json(error_json(error), "document");
  REQUIRE(document.has_value());
  const auto& members = std::get<ValueObject>(document->data);
  CHECK(find(members, "exit")->data == Value{std::int64_t{3}}.data);
  CHECK(find(members, "message")->data == Value{error.message}.data);
}

TEST_CASE("problems: equal ones of several sizes are one, errors first", "[cli]") {
  Diagnostic warning = unknown_strategy();
  warning.severity = Severity::warning;
  std::vector<Problem> problems;
  merge(problems, {warning, unknown_strategy()}, 2);
  merge(problems, {unknown_strategy()}, 4);
  sort_by_severity(problems);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].diagnostic.severity == Severity::error);
  CHECK(problems[0].sizes == std::vector<int>{2, 4});
  const auto diagnostics = with_sizes(problems, {2, 4});
  CHECK(diagnostics[0].details.size() == 1);
  CHECK(diagnostics[1].details.back() == "at TP 2 only");
}

TEST_CASE("problems: keys become JSON pointers", "[cli]") {
  Diagnostic d = unknown_strategy();
  d.fixes = {{"t", {{"add", "a/b~c", "rowwise"}}}};
  std::vector<Problem> problems;
  merge(problems, {d}, 2);
  std::string text;
  JsonWriter json(text, 0);
  write_problems(json, problems);
  CHECK(text.find(R"("patch":[{"op":"add","path":"/a~1b~0c","value":"rowwise"}])") != std::string::npos);
}

TEST_CASE("module match: runs of whole components, numbers for indices", "[cli]") {
  const ShardSpec spec = layers_of("model.layers.*.mlp.experts.*.w1.weight", {{0, 1, 2}, {0, 1}});
  CHECK(match_parameters(spec, "mlp.experts") == "model.layers.*.mlp.experts.*.w1.weight");
  CHECK(match_parameters(spec, "layers.2.mlp") == "model.layers.2.mlp.experts.*.w1.weight");
  CHECK(match_parameters(spec, "experts.1.w1") == "model.layers.*.mlp.experts.1.w1.weight");
  CHECK(match_parameters(spec, "layers.*.mlp.experts.0") == "model.layers.*.mlp.experts.0.w1.weight");
  CHECK(!match_parameters(spec, "layers.3.mlp"));
  CHECK(!match_parameters(spec, "experts.2"));
  CHECK(!match_parameters(spec, "ml"));
  CHECK(!match_parameters(spec, ""));
  CHECK(!match_parameters(spec, "x.model.layers.0.mlp.experts.0.w1.weight"));
}
