#include "exec/rank_watch.h"

#include <string>

#include "exec/error_message.h"

namespace tpsim::exec {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 100ms, kSay = 400ms;
constexpr auto kSilence = 2500ms;    // of a rank: it is gone
constexpr auto kTimeToEnd = 1000ms;  // for a rank that was told to stop
constexpr auto kHeldUp = 1000ms;     // a watch that was not run so long draws no conclusions

Error lost_error(const std::string& what) {
  Error error = input_error(what);
  error.kind = ErrorKind::environment;
  error.details.push_back("the run was given up; nothing was written");
  return error;
}

}  // namespace

RankWatch::RankWatch(Post& post, std::function<void(const Error&)> report)
    : post_(post), report_(std::move(report)), heard_(static_cast<std::size_t>(post.size()), Clock::now()) {
  looked_ = Clock::now();
  thread_ = std::thread([this] { watch(); });
}

RankWatch::~RankWatch() { end(); }

void RankWatch::end() {
  ended_ = true;
  if (thread_.joinable()) thread_.join();
}

// After a stop nothing is received any more: the rank's buffers may be gone.
void RankWatch::watch() {
  while (!ended_ && !post_.stopped()) {
    const auto now = Clock::now();
    read_letters();
    say_alive(now);
    if (now - looked_ > kHeldUp) heard_.assign(heard_.size(), now);
    looked_ = now;
    look_for_silence(now);
    look_for_hanging();
    std::this_thread::sleep_for(kLook);
  }
  const auto until = Clock::now() + kTimeToEnd;
  while (!ended_ && body_runs_ && Clock::now() < until) std::this_thread::sleep_for(kLook);
  if (!ended_ && body_runs_.exchange(false)) report_(*post_.stopped());
}

void RankWatch::read_letters() {
  while (const auto letter = post_.take(Channel::control)) {
    heard_[static_cast<std::size_t>(letter->from)] = Clock::now();
    if (!letter->bytes.empty()) return post_.stop_here(error_of_message(letter->bytes));
  }
}

void RankWatch::say_alive(Clock::time_point now) {
  if (now - said_ < kSay) return;
  said_ = now;
  if (post_.rank() != 0) return post_.send_copy(Channel::control, 0, {});
  for (int other = 1; other < post_.size(); ++other) post_.send_copy(Channel::control, other, {});
}

// Rank 0 listens to all, the others to rank 0; after it the next one has the word.
void RankWatch::look_for_silence(Clock::time_point now) {
  const auto silence_of = [&](int other) { return now - heard_[static_cast<std::size_t>(other)]; };
  if (post_.rank() != 0) {
    if (silence_of(0) > kSilence + (post_.rank() > 1 ? kTimeToEnd : 0ms)) lost(0);
    return;
  }
  for (int other = 1; other < post_.size(); ++other)
    if (silence_of(other) > kSilence) return lost(other);
}

void RankWatch::lost(int rank) {
  if (rank == 0) first_rank_lost_ = true;
  post_.stop(
      lost_error("rank " + std::to_string(rank) + " gives no sign of life: its process is stopped, hangs or is gone"));
}

void RankWatch::look_for_hanging() {
  if (hang_.hangs(!body_runs_ || post_.waits(), 0)) post_.stop(hanging_error("rank " + std::to_string(post_.rank())));
}

}  // namespace tpsim::exec
