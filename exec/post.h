// One process' end of the messages between ranks, used by the rank itself and by the thread that watches the others.
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "exec/transport.h"

namespace tpsim::exec {

class Post {
public:
  explicit Post(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

  int rank() const { return transport_->rank(); }
  int size() const { return transport_->size(); }

  int send(Channel channel, int to, const void* data, std::size_t bytes);
  int receive(Channel channel, int from, void* data, std::size_t bytes);
  // Returns when all messages are done. Errors: the run was stopped or interrupted.
  Result<void> wait(std::vector<int> messages);
  bool waits() const { return waits_; }

  // Sends a copy, which is kept as long as it is on its way.
  void send_copy(Channel channel, int to, std::string bytes);
  struct Letter {
    int from = 0;
    std::string bytes;
  };
  // A letter that has arrived on the channel.
  std::optional<Letter> take(Channel channel);

  // Ends the run here and tells the others. The first reason stays.
  void stop(const Error& why);
  // The same without telling: another rank said so.
  void stop_here(const Error& why);
  std::optional<Error> stopped() const;

  void finish() { transport_->finish(); }
  void abort(int exit_code);

private:
  bool all_done(std::vector<int>& messages);

  std::unique_ptr<Transport> transport_;
  mutable std::mutex mutex_;
  std::atomic<bool> waits_ = false;
  std::optional<Error> stopped_;
  struct Copy {
    std::string bytes;
    int message = 0;
  };
  std::list<Copy> copies_;  // on their way
};

}  // namespace tpsim::exec
