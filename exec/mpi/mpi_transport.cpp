// Transport over MPI, in a module of its own that tpsim loads when ranks are MPI processes: the program itself needs no
// MPI to start.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <cstdlib>
#include <vector>

#include "exec/transport.h"

namespace tpsim::exec {
namespace {

// Copies from one process to another by the kernel are forbidden in many containers, and Open MPI then prints errors.
void prefer_plain_copies() { setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0); }

class MpiTransport final : public Transport {
public:
  MpiTransport() {
    prefer_plain_copies();
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  int send(Channel channel, int to, const void* data, std::size_t bytes) override {
    const int slot = free_slot();
    MPI_Isend(data, static_cast<int>(bytes), MPI_BYTE, to, tag(channel), MPI_COMM_WORLD, &request(slot));
    return slot;
  }

  int receive(Channel channel, int from, void* data, std::size_t bytes) override {
    const int slot = free_slot();
    MPI_Irecv(data, static_cast<int>(bytes), MPI_BYTE, from, tag(channel), MPI_COMM_WORLD, &request(slot));
    return slot;
  }

  bool done(int message) override {
    int complete = 0;
    MPI_Test(&request(message), &complete, MPI_STATUS_IGNORE);
    if (complete != 0) free_.push_back(message);
    return complete != 0;
  }

  std::optional<Arrived> arrived(Channel channel) override {
    int there = 0, bytes = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, tag(channel), MPI_COMM_WORLD, &there, &status);
    if (there == 0) return std::nullopt;
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    return Arrived{status.MPI_SOURCE, static_cast<std::size_t>(bytes)};
  }

  void finish() override { MPI_Finalize(); }
  void abort(int exit_code) override { MPI_Abort(MPI_COMM_WORLD, exit_code); }

private:
  static int tag(Channel channel) { return static_cast<int>(channel); }
  MPI_Request& request(int slot) { return requests_[static_cast<std::size_t>(slot)]; }

  int free_slot() {
    if (free_.empty()) {
      free_.push_back(static_cast<int>(requests_.size()));
      requests_.push_back(MPI_REQUEST_NULL);
    }
    const int slot = free_.back();
    free_.pop_back();
    return slot;
  }

  int rank_ = 0, size_ = 1;
  std::vector<MPI_Request> requests_;
  std::vector<int> free_;
};

}  // namespace
}  // namespace tpsim::exec

// The caller owns what it gets.
extern "C" tpsim::exec::Transport* tpsim_open_transport() { return new tpsim::exec::MpiTransport; }
