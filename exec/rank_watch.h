// A thread of each process that tells the other ranks that it lives, and notices when one of them does not: killed,
// stopped, or hanging in something that is neither computing nor waiting for another rank.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "exec/hang_watch.h"
#include "exec/post.h"

namespace tpsim::exec {

class RankWatch {
public:
  using Clock = std::chrono::steady_clock;

  // `report`: called once when the run has been stopped and the rank does not come to its end by itself.
  RankWatch(Post& post, std::function<void(const Error&)> report);
  ~RankWatch();
  RankWatch(const RankWatch&) = delete;
  RankWatch& operator=(const RankWatch&) = delete;

  void end();
  void body_starts() { body_runs_ = true; }
  // False: the watch has come first; it reports in the rank's place, which must stay silent.
  bool body_ends() { return body_runs_.exchange(false); }
  bool first_rank_lost() const { return first_rank_lost_; }

private:
  void watch();
  void read_letters();
  void say_alive(Clock::time_point now);
  void look_for_silence(Clock::time_point now);
  void look_for_hanging();
  void lost(int rank);

  Post& post_;
  std::function<void(const Error&)> report_;
  std::vector<Clock::time_point> heard_;  // by rank
  Clock::time_point said_{}, looked_{};
  HangWatch hang_;
  std::atomic<bool> ended_ = false, body_runs_ = false, first_rank_lost_ = false;
  std::thread thread_;
};

}  // namespace tpsim::exec
