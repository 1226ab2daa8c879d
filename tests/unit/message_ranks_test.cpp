// Ranks that exchange messages: collectives give what threads give, a failure or a silent rank ends the others.
#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <thread>

#include "exec/error_message.h"
#include "exec/interrupt.h"
#include "exec/message_communicator.h"
#include "exec/rank_watch.h"
#include "exec/thread_ranks.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim::exec {
namespace {

// Letter boxes in this process in place of MPI.
struct Boxes {
  std::mutex mutex;
  std::map<std::tuple<Channel, int, int>, std::deque<std::string>> letters;  // by channel, sender, receiver
};

class BoxTransport final : public Transport {
public:
  BoxTransport(Boxes& boxes, int rank, int size) : boxes_(boxes), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }

  int send(Channel channel, int to, const void* data, std::size_t bytes) override {
    const std::lock_guard lock(boxes_.mutex);
    boxes_.letters[{channel, rank_, to}].emplace_back(static_cast<const char*>(data), bytes);
    return 0;
  }
  int receive(Channel channel, int from, void* data, std::size_t bytes) override {
    wanted_.push_back({channel, from, data, bytes});
    return static_cast<int>(wanted_.size());
  }
  bool done(int message) override {
    if (message == 0) return true;
    const Wanted& wanted = wanted_[static_cast<std::size_t>(message) - 1];
    const std::lock_guard lock(boxes_.mutex);
    auto& box = boxes_.letters[{wanted.channel, wanted.from, rank_}];
    if (box.empty()) return false;
    REQUIRE(box.front().size() == wanted.bytes);
    std::memcpy(wanted.data, box.front().data(), wanted.bytes);
    box.pop_front();
    return true;
  }
  std::optional<Arrived> arrived(Channel channel) override {
    const std::lock_guard lock(boxes_.mutex);
    for (int from = 0; from < size_; ++from)
      if (const auto& box = boxes_.letters[{channel, from, rank_}]; !box.empty())
        return Arrived{from, box.front().size()};
    return std::nullopt;
  }
  void finish() override {}
  void abort(int) override {}

private:
  struct Wanted {
    Channel channel;
    int from;
    void* data;
    std::size_t bytes;
  };
  Boxes& boxes_;
  int rank_, size_;
  std::vector<Wanted> wanted_;
};

Result<void> run_on_messages(int ranks, const RankBody& body) {
  const InterruptGuard fresh;
  Boxes boxes;
  std::vector<Result<void>> results(static_cast<std::size_t>(ranks));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      Post post(std::make_unique<BoxTransport>(boxes, rank, ranks));
      RankWatch watch(post, [](const Error&) {});
      MessageCommunicator communicator(post);
      Result<void> result = guarded(body, communicator);
      if (result) result = communicator.meet();
      if (!result) communicator.stop(result.error());
      results[static_cast<std::size_t>(rank)] = std::move(result);
    });
  for (std::thread& thread : threads) thread.join();
  for (const Result<void>& result : results)
    if (!result) return result;
  return {};
}

Numbers numbers(std::vector<float>& values) {
  return {values.data(), static_cast<std::int64_t>(values.size()), Scalar::float32};
}

// Numbers whose sum depends on its order.
std::vector<float> values_of(int rank, std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>((i * 7919 + static_cast<std::size_t>(rank) * 104729) % 1000003) * 1e-3F + 1e-4F;
  return values;
}

template <class Launch>
std::vector<std::vector<float>> reduced(Launch launch, int ranks, std::size_t count) {
  std::vector<std::vector<float>> values;
  for (int r = 0; r < ranks; ++r) values.push_back(values_of(r, count));
  const auto done =
      launch(ranks, [&](Communicator& c) { return c.all_reduce(numbers(values[static_cast<std::size_t>(c.rank())])); });
  INFO(error_text(done));
  REQUIRE(done);
  return values;
}

}  // namespace

TEST_CASE("messages: all_reduce gives the bits of threads, for few and for many numbers", "[exec]") {
  const std::size_t count = GENERATE(std::size_t{0}, 1, 5, 8192, 8193, 30001);
  const int ranks = GENERATE(1, 2, 3, 5);
  CHECK(reduced(run_on_messages, ranks, count) == reduced(run_on_threads, ranks, count));
}

TEST_CASE("messages: gather, scatter, exchange, broadcast and letters", "[exec]") {
  std::vector<std::vector<float>> mine{{1, 2}, {3}}, all(2, std::vector<float>(3));
  std::vector<std::vector<float>> give{{1, 2, 3}, {10, 20, 30}}, part{std::vector<float>(2), std::vector<float>(1)};
  std::vector<std::vector<float>> got{std::vector<float>(4), std::vector<float>(2)}, shown{{0}, {8}}, letter{{5}, {0}};
  const std::vector<std::int64_t> counts{2, 1};
  const auto done = run_on_messages(2, [&](Communicator& c) -> Result<void> {
    const auto r = static_cast<std::size_t>(c.rank());
    if (auto ok = c.all_gather(numbers(mine[r]), numbers(all[r])); !ok) return ok;
    if (auto ok = c.reduce_scatter(numbers(give[r]), counts, numbers(part[r])); !ok) return ok;
    const std::vector<std::int64_t> from(2, counts[r]);
    if (auto ok = c.all_to_all(numbers(give[r]), counts, numbers(got[r]), from); !ok) return ok;
    if (auto ok = c.broadcast(numbers(shown[r]), 1); !ok) return ok;
    return r == 0 ? c.send(numbers(letter[r]), 1) : c.receive(numbers(letter[r]), 0);
  });
  INFO(error_text(done));
  REQUIRE(done);
  CHECK(all[0] == std::vector<float>{1, 2, 3});
  CHECK(all[1] == all[0]);
  CHECK(part[0] == std::vector<float>{11, 22});
  CHECK(part[1] == std::vector<float>{33});
  CHECK(got[0] == std::vector<float>{1, 2, 10, 20});
  CHECK(got[1] == std::vector<float>{3, 30});
  CHECK(shown[0] == std::vector<float>{8});
  CHECK(letter[1] == std::vector<float>{5});
}

TEST_CASE("messages: different collectives, and different sizes, stop with both", "[exec]") {
  std::vector<std::vector<float>> values{{1, 2}, {3, 4}}, all(2, std::vector<float>(4)), uneven{{1, 2}, {3}};
  const auto other = run_on_messages(2, [&](Communicator& c) {
    const auto r = static_cast<std::size_t>(c.rank());
    return r == 0 ? c.all_reduce(numbers(values[r])) : c.all_gather(numbers(values[r]), numbers(all[r]));
  });
  REQUIRE_FALSE(other);
  CHECK(error_text(other).find("all_reduce") != std::string::npos);
  CHECK(error_text(other).find("all_gather") != std::string::npos);
  const auto sizes = run_on_messages(
      2, [&](Communicator& c) { return c.all_reduce(numbers(uneven[static_cast<std::size_t>(c.rank())])); });
  REQUIRE_FALSE(sizes);
  CHECK(error_text(sizes).find("2 numbers") != std::string::npos);
}

TEST_CASE("messages: a rank that fails, or throws, frees the others with its error", "[exec]") {
  std::vector<float> values{1};
  auto done = run_on_messages(3, [&](Communicator& c) -> Result<void> {
    if (c.rank() == 2) return input_error("the weights are broken", "model.norm");
    std::vector<float> own{1};
    return c.all_reduce(numbers(own));
  });
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "the weights are broken");
  CHECK(done.error().where == "model.norm");
  done = run_on_messages(2, [&](Communicator& c) -> Result<void> {
    if (c.rank() == 1) throw std::bad_alloc();
    std::vector<float> own{1};
    return c.all_reduce(numbers(own));
  });
  REQUIRE_FALSE(done);
  CHECK(done.error().kind == ErrorKind::environment);
  CHECK(done.error().message == "rank 1 is out of memory");
}

TEST_CASE("messages: a rank that says nothing ends the run", "[exec]") {
  const InterruptGuard fresh;
  Boxes boxes;
  Post post(std::make_unique<BoxTransport>(boxes, 0, 2));
  RankWatch watch(post, [](const Error&) {});
  MessageCommunicator communicator(post);
  std::vector<float> values{1};
  const auto done = communicator.all_reduce(numbers(values));
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("rank 1 gives no sign of life") != std::string::npos);
}

TEST_CASE("messages: an error travels whole", "[exec]") {
  Error error{ErrorKind::environment, "TP102", "what", "where", {"one", ""}, {"fix"}};
  const Error back = error_of_message(message_of(error));
  CHECK(back.kind == error.kind);
  CHECK(back.code == error.code);
  CHECK(back.message == error.message);
  CHECK(back.where == error.where);
  CHECK(back.details == error.details);
  CHECK(back.fixes == error.fixes);
}

}  // namespace tpsim::exec
