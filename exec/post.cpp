#include "exec/post.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "exec/error_message.h"
#include "exec/interrupt.h"

namespace tpsim::exec {
namespace {

// A rank that waits leaves the processor to the others, and after a while it sleeps.
void pause(int looks) {
  constexpr int kEager = 2000, kPatient = 20000;
  if (looks < kEager)
    std::this_thread::yield();
  else
    std::this_thread::sleep_for(std::chrono::microseconds(looks < kPatient ? 20 : 200));
}

}  // namespace

int Post::send(Channel channel, int to, const void* data, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  return transport_->send(channel, to, data, bytes);
}

int Post::receive(Channel channel, int from, void* data, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  return transport_->receive(channel, from, data, bytes);
}

bool Post::all_done(std::vector<int>& messages) {
  const std::lock_guard lock(mutex_);
  std::erase_if(messages, [&](int message) { return transport_->done(message); });
  return messages.empty();
}

Result<void> Post::wait(std::vector<int> messages) {
  waits_ = true;
  for (int looks = 0; !all_done(messages); looks = std::min(looks + 1, 1 << 20)) {
    if (interrupt_signal() != 0) stop(interrupted_error());
    if (const auto why = stopped()) return *why;
    pause(looks);
  }
  waits_ = false;
  return {};
}

void Post::send_copy(Channel channel, int to, std::string bytes) {
  const std::lock_guard lock(mutex_);
  std::erase_if(copies_, [&](const Copy& copy) { return transport_->done(copy.message); });
  Copy& copy = copies_.emplace_back(Copy{std::move(bytes), 0});
  copy.message = transport_->send(channel, to, copy.bytes.data(), copy.bytes.size());
}

std::optional<Post::Letter> Post::take(Channel channel) {
  const std::lock_guard lock(mutex_);
  const auto arrived = transport_->arrived(channel);
  if (!arrived) return std::nullopt;
  Letter letter{arrived->from, std::string(arrived->bytes, '\0')};
  const int message = transport_->receive(channel, letter.from, letter.bytes.data(), letter.bytes.size());
  while (!transport_->done(message)) {
  }
  return letter;
}

void Post::stop_here(const Error& why) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  stopped_ = why;
  stop_run(why);
}

void Post::stop(const Error& why) {
  if (stopped()) return;
  stop_here(why);
  for (int other = 0; other < size(); ++other)
    if (other != rank()) send_copy(Channel::control, other, message_of(why));
}

std::optional<Error> Post::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void Post::abort(int exit_code) { transport_->abort(exit_code); }

}  // namespace tpsim::exec
