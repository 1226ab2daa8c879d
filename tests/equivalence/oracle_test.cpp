// The analysis equals what real Transformers did, run by run: verdict, shapes on every rank, collectives in order.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "tests/catch.hpp"
#include "tests/equivalence/oracle_check.h"

namespace tpsim {
namespace {

const std::filesystem::path kFixtures = "tests/fixtures/oracle";

// Further recordings in the long form; TPSIM_RECORDINGS names another folder.
std::filesystem::path recordings() {
  const char* named = std::getenv("TPSIM_RECORDINGS");
  return named == nullptr ? "../shared/oracle" : named;
}

void report(const std::string& title, const Agreement& agreement) {
  std::cout << title << ": " << summary(agreement) << "\n";
  for (const std::string& difference : agreement.differences) std::cout << "  " << difference << "\n";
}

}  // namespace

TEST_CASE("analysis: agrees with every recorded run", "[oracle]") {
  Agreement agreement;
  for (const auto& file : json_files(kFixtures)) {
    const Value content = read_json(file);
    if (!is_recording(content)) continue;
    const RecordedCase recording = read_recording(content);
    const auto model = build_recorded_model(recording);
    INFO(file << ": " << (model ? "" : model.error().message));
    REQUIRE(model);
    check_parameters(recording, *model, agreement);
    check_runs(recording, *model, agreement);
  }
  report("recorded runs", agreement);
  CHECK(agreement.differences.empty());
  CHECK(agreement.score["verdict"].second > 500);
}

TEST_CASE("analysis: agrees with every recording of described types beside the project", "[oracle][shared]") {
  const std::filesystem::path folder = recordings();
  if (!std::filesystem::is_directory(folder)) {
    WARN("skipped: there is no " << folder);
    return;
  }
  Agreement agreement;
  std::string undescribed;
  for (const auto& file : json_files(folder)) {
    const auto relative = std::filesystem::relative(file, folder);
    if (relative.string().starts_with("checkpoints") || std::filesystem::exists(kFixtures / relative)) continue;
    const Value content = read_json(file);
    if (!is_recording(content)) continue;
    const RecordedCase recording = read_raw_recording(content);
    const auto model = build_recorded_model(recording);
    if (!model) {
      undescribed += " " + relative.string();
      continue;
    }
    check_parameters(recording, *model, agreement);
    check_runs(recording, *model, agreement);
  }
  report("recordings beside the project", agreement);
  if (!undescribed.empty()) WARN("skipped, not described:" << undescribed);
  CHECK(agreement.differences.empty());
}

}  // namespace tpsim
