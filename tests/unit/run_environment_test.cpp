// What surrounds a run: the launcher's words, and the memory that is there.
#include "exec/launcher_words.h"
#include "exec/memory_need.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim::exec {

TEST_CASE("mpirun's words are told from the ranks'", "[exec]") {
  const Words words = told_apart(
      "error: no such file\n"
      "--------------------------------------------------------------------------\n"
      "Primary job terminated normally, but 1 process returned\n"
      "--------------------------------------------------------------------------\n"
      "[node:123] 1 more process has sent help message\n"
      "  fix: another file\n\x1e"
      "3\n");
  CHECK(words.ranks == "error: no such file\n  fix: another file\n");
  CHECK(words.launcher.find("Primary job") != std::string::npos);
  CHECK(words.launcher.find("1 more process") != std::string::npos);
  CHECK(words.exit_code == 3);
}

TEST_CASE("what a rank says after the run's exit code is not the run's", "[exec]") {
  const Words words = told_apart(
      "error: rank 0 gives no sign of life\n\x1e"
      "4\n"
      "error: stopped by TERM; nothing was written\n\x1e"
      "143\n"
      "[node:123] aborted\n");
  CHECK(words.ranks == "error: rank 0 gives no sign of life\n");
  CHECK(words.exit_code == 4);
  CHECK(words.launcher == "[node:123] aborted\n");
}

TEST_CASE("a killed rank is named with its signal", "[exec]") {
  const auto killed =
      killed_rank("mpirun noticed that process rank 12 with PID 0 on node a exited on signal 9 (Killed).");
  REQUIRE(killed);
  CHECK(killed->message == "rank 12 was ended by signal 9 (Killed)");
  CHECK(killed->kind == ErrorKind::environment);
  CHECK_FALSE(killed_rank("Primary job terminated normally"));
}

TEST_CASE("a run that needs more memory than there is does not start", "[exec]") {
  CHECK(check_memory(5, std::nullopt));
  CHECK(check_memory(5, 5));
  const auto refused = check_memory(std::int64_t{3} << 30, std::int64_t{1} << 30);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::environment);
  CHECK(error_text(refused).find("3.0 GiB") != std::string::npos);
  CHECK(error_text(refused).find("1.0 GiB") != std::string::npos);
  CHECK(available_bytes().value_or(1) > 0);
}

}  // namespace tpsim::exec
