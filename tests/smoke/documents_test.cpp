// Every JSON document conforms to its schema in docs/schema.
#include <sstream>

#include "core/json.h"
#include "core/text_file.h"
#include "tests/catch.hpp"
#include "tests/scratch.h"
#include "tests/smoke/json_schema.h"
#include "tests/smoke/program.h"

using namespace tpsim;
using namespace tpsim::test;

namespace {

void check_document(const std::string& arguments, const std::string& schema, int exit = 0) {
  INFO("tpsim " << arguments);
  const ProgramRun run = run_tpsim(arguments + " --json");
  CHECK(run.exit == exit);
  const auto document = parse_json(run.out, "standard output");
  REQUIRE(document.has_value());
  const auto faults = validate(*document, load_schema(schema));
  for (std::size_t i = 0; i < faults.size() && i < 5; ++i) FAIL_CHECK(schema + " " + faults[i]);
  CHECK(faults.empty());
}

constexpr const char* kBadPlan = "-p tests/smoke/bad_plan.json";

}  // namespace

TEST_CASE("documents: report in every detail, for dense and expert models, right and wrong plans", "[schema]") {
  check_document("report -m llama-3.1-8b --tp 1,2,16 --detail all", "report");
  check_document("report -m Qwen/Qwen3-30B-A3B --tp 2 --ep 2 --detail all", "report");
  check_document("report -m microsoft/Phi-3-mini-4k-instruct --tp 4 --detail shards --dialect 4.57", "report");
  check_document("report -m llama-3.1-8b --tp 2 --phase decode --detail events " + std::string(kBadPlan), "report");
  check_document("report -m gpt2 --tp 1,2", "report");
  check_document("report -m llama-3.1-8b --tp 2 --prompt 1000 --chunk 300 --gen 50 --detail chunks", "report");
  check_document("fit -m llama-3.1-8b --gpus 2 --prompt 1000 --chunk 300 --gen 50", "fit");
}

TEST_CASE("documents: evaluate, and a profile that calibrate writes", "[schema]") {
  check_document("evaluate tests/golden/cases/sim-evaluate-operators/rows.csv", "evaluate");
  const Scratch scratch;
  const std::string profile = scratch.path("profile.json");
  const ProgramRun run =
      run_tpsim("calibrate --hw h100-sxm tests/golden/cases/sim-calibrate-trace/trace.json -o " + profile);
  REQUIRE(run.exit == 0);
  const auto text = read_text_file(profile, 64u << 20);
  REQUIRE(text.has_value());
  const auto document = parse_json(*text, profile);
  REQUIRE(document.has_value());
  const auto faults = validate(*document, load_schema("calibration"));
  for (std::size_t i = 0; i < faults.size() && i < 5; ++i) FAIL_CHECK(faults[i]);
  CHECK(run_tpsim("report -m llama-3.1-8b --tp 2 --profile " + profile).exit == 0);
}

TEST_CASE("documents: timelines, predicted and measured", "[schema]") {
  check_document("trace -m Qwen/Qwen3-30B-A3B --tp 4 --ep 4 --stack vllm", "trace");
  check_document("trace -m tests/fixtures/run/config.json --result tests/fixtures/run/tp2.json", "trace");
}

TEST_CASE("documents: imported traces, logs and tables; exported reports", "[schema]") {
  const std::string cases = "tests/golden/cases/";
  check_document("trace import " + cases + "trace-import-kineto/r0.json " + cases + "trace-import-nccl/nccl.log " +
                     cases + "trace-import-sweep/all_reduce_perf.txt -m llama-3.1-8b --tp 2",
                 "trace-import");
  check_document("trace import " + cases + "trace-import-nccl/nccl.log", "trace-import");
  check_document("export -m llama-3.1-8b --tp 1,2", "report");
}

TEST_CASE("documents: rows of a sweep", "[schema]") {
  const ProgramRun run = run_tpsim(
      "sweep -m llama-3.1-8b --tp 1,3,8 -b 4 --prompt 512 --ctx 64,4Ki --gen 20,1 "
      "--chunk 512,200");
  CHECK(run.exit == 0);
  std::istringstream lines(run.out);
  int rows = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    const auto row = parse_json(line, "row");
    REQUIRE(row.has_value());
    CHECK(validate(*row, load_schema("sweep-row")).empty());
  }
  CHECK(rows == 24);
}

TEST_CASE("documents: answers of serve", "[schema]") {
  for (const char* session : {"cli-serve-questions", "cli-serve-bad-requests"}) {
    const ProgramRun run = run_tpsim("serve --stdio < tests/golden/cases/" + std::string(session) + "/stdin");
    CHECK(run.exit == 0);
    std::istringstream lines(run.out);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      const auto answer = parse_json(line, "answer");
      REQUIRE(answer.has_value());
      CHECK(validate(*answer, load_schema("serve-answer")).empty());
    }
  }
}

TEST_CASE("documents: training, right plans and plans that stop", "[schema]") {
  check_document("report -m llama-3.1-8b --phase train --tp 1,2,16 --dp 2 --pp 2 --zero 1 --recompute full",
                 "training");
  check_document("report -m Qwen/Qwen3-30B-A3B --phase train --tp 2 --parallel-loss", "training");
}

TEST_CASE("documents: fit, check, plan, shard, memory, comm", "[schema]") {
  check_document("fit -m llama-3.1-70b --gpus 4", "fit");
  check_document("fit -m llama-3.1-70b --gpus 1", "fit", 1);
  check_document("check -m llama-3.1-8b --tp 2", "check");
  check_document("check --shipped --tp 2", "check-shipped", 1);
  check_document("check -m llama-3.1-8b --tp 2,16 " + std::string(kBadPlan), "check", 1);
  check_document("plan show -m llama-3.1-8b", "plan");
  check_document("plan show -m llama-3.1-8b " + std::string(kBadPlan), "plan");
  check_document("shard -m llama-3.1-8b self_attn --tp 4", "shard");
  check_document("memory -m llama-3.1-8b --tp 4", "memory");
  check_document("comm -m llama-3.1-8b --tp 4", "comm");
}

TEST_CASE("documents: redistribute, catalogues, explain, version", "[schema]") {
  check_document("redistribute --shape 10x8 --mesh 2x2 --from 'Shard(0),Partial' --to 'Replicate,Shard(1)'",
                 "redistribute");
  check_document("models list", "models");
  check_document("models show gpt2", "model");
  check_document("hardware list", "hardware-list");
  check_document("hardware show h100-sxm", "hardware");
  check_document("strategies list", "strategies");
  check_document("strategies show colwise_rep --dialect 5.1", "strategies");
  check_document("explain TP102", "explain");
  check_document("explain", "codes");
  check_document("version", "version");
  check_document("doctor", "doctor");
  check_document("doctor --settings", "settings");
}

TEST_CASE("documents: run", "[schema]") {
  const std::string tiny = "run -m tests/fixtures/run/config.json --dtype fp32 ";
  check_document(tiny + "--tp 2 --detail layers --gen 3", "run");
  check_document(tiny + "--tp 2 --phase train --detail layers", "run");
  check_document(tiny + "--tp 4 --phase train", "run", 1);
  check_document(tiny + "--tp 4", "run", 1);
  check_document(tiny + "--tp 2 --comm pigeons", "error", 4);
}

TEST_CASE("documents: measured runs and validation", "[schema]") {
  check_document("run -m tests/fixtures/run/config.json --tp 2 --dtype fp32 --iters 2 --json", "run");
  check_document("validate --result tests/fixtures/run/tp2.json -m tests/fixtures/run/config.json --json", "validate",
                 5);
}

TEST_CASE("documents: errors", "[schema]") {
  check_document("report -m nothing-of-the-kind", "error", 2);
  check_document("report -m no/such/config.json", "error", 3);
  check_document("report --modle x", "error", 2);
  check_document("explain TP999", "error", 2);
  check_document("redistribute --shape 8 --mesh 2 --from 'Shard(0)' --to Partial", "error", 1);
}

TEST_CASE("json schema: faults are found", "[schema]") {
  const Value schema = load_schema("version");
  const auto faults = [&](const char* text) { return validate(*parse_json(text, "text"), schema).size(); };
  CHECK(faults(R"({"schema":"tpsim.version/1","tool":{"name":"tpsim","version":"1"},"dialects":["a"]})") == 0);
  CHECK(faults(R"({"schema":"tpsim.version/2","tool":{"name":"tpsim","version":"1"},"dialects":["a"]})") == 1);
  CHECK(faults(R"({"schema":"tpsim.version/1","tool":{"name":"tpsim"},"dialects":[1],"more":0})") == 3);
}
