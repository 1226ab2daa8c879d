// Collectives among the ranks of one run. All ranks call the same operations in the same order; sums are taken in the
// order of the ranks, so a result does not depend on timing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/collective.h"
#include "core/result.h"

namespace tpsim::exec {

enum class Scalar { float32, float64, int64 };
std::size_t size_of(Scalar scalar);

// Numbers that one rank gives to a collective, or receives from it.
struct Numbers {
  void* data = nullptr;
  std::int64_t count = 0;
  Scalar scalar = Scalar::float32;
};

class Communicator {
public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Errors: a rank calls something else or with another size, another rank has stopped, the run is interrupted.
  virtual Result<void> all_reduce(Numbers values) = 0;             // in place, sum
  virtual Result<void> all_gather(Numbers mine, Numbers all) = 0;  // one behind the other by rank; counts may differ
  // `all`: what each rank is to get, one behind the other by rank; rank r receives the sums of its part of `counts[r]`.
  virtual Result<void> reduce_scatter(Numbers all, std::span<const std::int64_t> counts, Numbers mine) = 0;
  // Rank r's part of `send` goes to rank r; what comes lies in `receive` by sender.
  virtual Result<void> all_to_all(Numbers send, std::span<const std::int64_t> send_counts, Numbers receive,
                                  std::span<const std::int64_t> receive_counts) = 0;
  virtual Result<void> broadcast(Numbers values, int root) = 0;
  virtual Result<void> send(Numbers values, int to) = 0;
  virtual Result<void> receive(Numbers values, int from) = 0;

  // This rank gives up: the others' calls end with this error.
  virtual void stop(const Error& why) = 0;
};

}  // namespace tpsim::exec
