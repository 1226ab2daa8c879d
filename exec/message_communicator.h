// Collectives by messages between processes. Sums are taken in the order of the ranks, as among threads: the same bits.
#pragma once

#include <array>
#include <vector>

#include "exec/communicator.h"
#include "exec/post.h"

namespace tpsim::exec {

class MessageCommunicator final : public Communicator {
public:
  explicit MessageCommunicator(Post& post) : post_(post) {}

  int rank() const override { return post_.rank(); }
  int size() const override { return post_.size(); }

  Result<void> all_reduce(Numbers values) override;
  Result<void> all_gather(Numbers mine, Numbers all) override;
  Result<void> reduce_scatter(Numbers all, std::span<const std::int64_t> counts, Numbers mine) override;
  Result<void> all_to_all(Numbers send, std::span<const std::int64_t> send_counts, Numbers receive,
                          std::span<const std::int64_t> receive_counts) override;
  Result<void> broadcast(Numbers values, int root) override;
  Result<void> send(Numbers values, int to) override;
  Result<void> receive(Numbers values, int from) override;
  void stop(const Error& why) override { post_.stop(why); }

  // Returns when all ranks are here.
  Result<void> meet();

private:
  struct Piece {
    std::byte* data = nullptr;
    std::size_t bytes = 0;
  };
  using Pieces = std::vector<Piece>;  // by rank
  // What a rank says to each other rank before a collective's numbers: how many calls went before, which one this is,
  // how many numbers it is about to send.
  using Header = std::array<std::int64_t, 3>;

  // The counts that the ranks announce to this one. Errors: they call different collectives.
  Result<std::vector<std::int64_t>> announce(int op, const std::vector<std::int64_t>& counts);
  Result<void> agree(int op, std::int64_t count);
  Result<void> carry(const Pieces& give, const Pieces& take);
  Result<void> sum_pieces(const Numbers& all, std::int64_t begin, std::span<const std::int64_t> counts, Numbers mine);
  Result<void> misfit(const std::string& message);
  Pieces pieces_of(const Numbers& numbers, std::span<const std::int64_t> counts) const;

  Post& post_;
  std::int64_t calls_ = 0;
};

}  // namespace tpsim::exec
