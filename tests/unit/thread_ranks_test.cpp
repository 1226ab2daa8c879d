#include "exec/thread_ranks.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim::exec {
namespace {

Numbers numbers(std::vector<float>& values) {
  return {values.data(), static_cast<std::int64_t>(values.size()), Scalar::float32};
}

}  // namespace

TEST_CASE("all_reduce: every rank has the sum", "[exec]") {
  std::vector<std::vector<float>> values{{1, 2}, {10, 20}, {100, 200}};
  const auto done = run_on_threads(
      3, [&](Communicator& c) { return c.all_reduce(numbers(values[static_cast<std::size_t>(c.rank())])); });
  REQUIRE(done);
  for (const auto& v : values) CHECK(v == std::vector<float>{111, 222});
}

TEST_CASE("all_gather: uneven pieces come by rank", "[exec]") {
  std::vector<std::vector<float>> mine{{1, 2}, {3}}, all(2, std::vector<float>(3));
  const auto done = run_on_threads(2, [&](Communicator& c) {
    const auto r = static_cast<std::size_t>(c.rank());
    return c.all_gather(numbers(mine[r]), numbers(all[r]));
  });
  REQUIRE(done);
  CHECK(all[0] == std::vector<float>{1, 2, 3});
  CHECK(all[1] == all[0]);
}

TEST_CASE("reduce_scatter and all_to_all: each rank has its part", "[exec]") {
  std::vector<std::vector<float>> give{{1, 2, 3}, {10, 20, 30}}, part{std::vector<float>(2), std::vector<float>(1)};
  const std::vector<std::int64_t> counts{2, 1};
  auto done = run_on_threads(2, [&](Communicator& c) {
    const auto r = static_cast<std::size_t>(c.rank());
    return c.reduce_scatter(numbers(give[r]), counts, numbers(part[r]));
  });
  REQUIRE(done);
  CHECK(part[0] == std::vector<float>{11, 22});
  CHECK(part[1] == std::vector<float>{33});
  std::vector<std::vector<float>> got{std::vector<float>(4), std::vector<float>(2)};
  done = run_on_threads(2, [&](Communicator& c) {
    const auto r = static_cast<std::size_t>(c.rank());
    const std::vector<std::int64_t> from(2, counts[r]);
    return c.all_to_all(numbers(give[r]), counts, numbers(got[r]), from);
  });
  REQUIRE(done);
  CHECK(got[0] == std::vector<float>{1, 2, 10, 20});
  CHECK(got[1] == std::vector<float>{3, 30});
}

TEST_CASE("send: the value goes from one rank to another while others work on", "[exec]") {
  std::vector<float> sent{7}, got{0};
  const auto done = run_on_threads(3, [&](Communicator& c) -> Result<void> {
    if (c.rank() == 0) return c.send(numbers(sent), 2);
    if (c.rank() == 2) return c.receive(numbers(got), 0);
    return {};
  });
  REQUIRE(done);
  CHECK(got[0] == 7);
}

TEST_CASE("ranks that meet in different collectives stop with both names", "[exec]") {
  std::vector<std::vector<float>> values{{1, 2}, {3, 4}}, all(2, std::vector<float>(4));
  const auto done = run_on_threads(2, [&](Communicator& c) {
    const auto r = static_cast<std::size_t>(c.rank());
    return r == 0 ? c.all_reduce(numbers(values[r])) : c.all_gather(numbers(values[r]), numbers(all[r]));
  });
  REQUIRE_FALSE(done);
  CHECK(error_text(done).find("all_reduce") != std::string::npos);
  CHECK(error_text(done).find("all_gather") != std::string::npos);
}

TEST_CASE("ranks that bring different sizes stop with both", "[exec]") {
  std::vector<std::vector<float>> values{{1, 2}, {3}};
  const auto done = run_on_threads(
      2, [&](Communicator& c) { return c.all_reduce(numbers(values[static_cast<std::size_t>(c.rank())])); });
  REQUIRE_FALSE(done);
  CHECK(error_text(done).find("2 numbers") != std::string::npos);
}

TEST_CASE("a rank that fails wakes the others", "[exec]") {
  std::vector<float> values{1};
  const auto done = run_on_threads(2, [&](Communicator& c) -> Result<void> {
    if (c.rank() == 1) return input_error("the weights are broken");
    return c.all_reduce(numbers(values));
  });
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "the weights are broken");
}

TEST_CASE("a rank that throws wakes the others", "[exec]") {
  std::vector<float> values{1};
  const auto done = run_on_threads(2, [&](Communicator& c) -> Result<void> {
    if (c.rank() == 1) throw std::bad_alloc();
    return c.all_reduce(numbers(values));
  });
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "rank 1 is out of memory");
  CHECK(done.error().kind == ErrorKind::environment);
}

TEST_CASE("a rank that hangs ends the process with one message", "[exec]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    std::vector<float> values{1};
    (void)run_on_threads(2, [&](Communicator& c) -> Result<void> {
      if (c.rank() == 0) std::this_thread::sleep_for(std::chrono::minutes(1));
      return c.all_reduce(numbers(values));
    });
    _exit(99);
  }
  close(ends[1]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  char text[500] = {};
  CHECK(read(ends[0], text, sizeof text - 1) > 0);
  close(ends[0]);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == exit_code(ErrorKind::environment));
  CHECK(std::string(text).starts_with("error: a rank hangs"));
}

}  // namespace tpsim::exec
