// Messages between the processes of one run, as MPI or a test double carries them. Nothing here waits.
#pragma once

#include <cstddef>
#include <optional>

namespace tpsim::exec {

enum class Channel { headers, payload, letter_headers, letters, control };

struct Arrived {
  int from = 0;
  std::size_t bytes = 0;
};

// One thread at a time may call it.
class Transport {
public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Start a message and return its number; the memory must stay as it is until done(number). Messages between two ranks
  // on one channel keep their order.
  virtual int send(Channel channel, int to, const void* data, std::size_t bytes) = 0;
  virtual int receive(Channel channel, int from, void* data, std::size_t bytes) = 0;
  // True once; the number is free then.
  virtual bool done(int message) = 0;
  // A message of the channel that nobody receives yet.
  virtual std::optional<Arrived> arrived(Channel channel) = 0;

  virtual void finish() = 0;              // all ranks call it, after their last message
  virtual void abort(int exit_code) = 0;  // ends the processes of all ranks
};

}  // namespace tpsim::exec
