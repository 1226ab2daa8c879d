#include "exec/message_communicator.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>

#include "core/shape.h"
#include "exec/sums.h"

namespace tpsim::exec {
namespace {

constexpr int kMeeting = 100;                           // an `op` beside the CollectiveOps
constexpr std::size_t kLongest = std::size_t{1} << 29;  // bytes of one message
constexpr std::int64_t kSmall = 8192;                   // numbers that are summed by every rank for itself

std::string name_of(std::int64_t op) {
  return op == kMeeting ? "the end of the run" : to_string(static_cast<CollectiveOp>(op));
}

int number_of(CollectiveOp op) { return static_cast<int>(op); }

// Calls f(begin, bytes) for each message that carries a part of `bytes`.
template <class F>
void each_message(std::size_t bytes, F f) {
  for (std::size_t begin = 0; begin < bytes; begin += kLongest) f(begin, std::min(kLongest, bytes - begin));
}

}  // namespace

Result<std::vector<std::int64_t>> MessageCommunicator::announce(int op, const std::vector<std::int64_t>& counts) {
  const auto ranks = static_cast<std::size_t>(size()), me = static_cast<std::size_t>(rank());
  std::vector<Header> mine(ranks), theirs(ranks);
  std::vector<int> messages;
  for (std::size_t r = 0; r < ranks; ++r) {
    mine[r] = {calls_, op, counts[r]};
    if (r == me) continue;
    messages.push_back(post_.receive(Channel::headers, static_cast<int>(r), theirs[r].data(), sizeof(Header)));
    messages.push_back(post_.send(Channel::headers, static_cast<int>(r), mine[r].data(), sizeof(Header)));
  }
  theirs[me] = mine[me];
  ++calls_;
  if (auto done = post_.wait(std::move(messages)); !done) return done.error();
  std::vector<std::int64_t> announced;
  for (std::size_t r = 0; r < ranks; ++r) {
    if (theirs[r][0] != mine[r][0] || theirs[r][1] != mine[r][1])
      return misfit("rank " + std::to_string(me) + " calls " + name_of(op) + " while rank " + std::to_string(r) +
                    " calls " + name_of(theirs[r][1]))
          .error();
    announced.push_back(theirs[r][2]);
  }
  return announced;
}

Result<void> MessageCommunicator::agree(int op, std::int64_t count) {
  const auto counts = announce(op, std::vector<std::int64_t>(static_cast<std::size_t>(size()), count));
  if (!counts) return counts.error();
  for (std::size_t r = 0; r < counts->size(); ++r)
    if ((*counts)[r] != count)
      return misfit("rank " + std::to_string(rank()) + " brings " + std::to_string(count) + " numbers and rank " +
                    std::to_string(r) + " " + std::to_string((*counts)[r]));
  return {};
}

Result<void> MessageCommunicator::misfit(const std::string& message) {
  Error error = input_error("the ranks do not meet in the same collective: " + message);
  stop(error);
  return error;
}

MessageCommunicator::Pieces MessageCommunicator::pieces_of(const Numbers& numbers,
                                                           std::span<const std::int64_t> counts) const {
  Pieces pieces;
  std::int64_t begin = 0;
  for (const std::int64_t count : counts) {
    pieces.push_back({at(numbers, begin), static_cast<std::size_t>(count) * size_of(numbers.scalar)});
    begin += count;
  }
  return pieces;
}

Result<void> MessageCommunicator::carry(const Pieces& give, const Pieces& take) {
  std::vector<int> messages;
  for (int r = 0; r < size(); ++r) {
    const Piece &out = give[static_cast<std::size_t>(r)], &in = take[static_cast<std::size_t>(r)];
    if (r == rank()) {
      if (in.bytes > 0 && in.data != out.data) std::memcpy(in.data, out.data, in.bytes);
      continue;
    }
    each_message(in.bytes, [&](std::size_t begin, std::size_t bytes) {
      messages.push_back(post_.receive(Channel::payload, r, in.data + begin, bytes));
    });
    each_message(out.bytes, [&](std::size_t begin, std::size_t bytes) {
      messages.push_back(post_.send(Channel::payload, r, out.data + begin, bytes));
    });
  }
  return post_.wait(std::move(messages));
}

// The sums of this rank's part, which begins at `begin`.
Result<void> MessageCommunicator::sum_pieces(const Numbers& all, std::int64_t begin,
                                             std::span<const std::int64_t> counts, Numbers mine) {
  const auto ranks = static_cast<std::size_t>(size());
  const std::size_t bytes = static_cast<std::size_t>(mine.count) * size_of(mine.scalar);
  std::vector<std::byte> received(bytes * ranks);
  Pieces take;
  for (std::size_t r = 0; r < ranks; ++r) take.push_back({received.data() + r * bytes, bytes});
  take[static_cast<std::size_t>(rank())] = {at(all, begin), bytes};
  Pieces give = pieces_of(all, counts);
  give[static_cast<std::size_t>(rank())] = take[static_cast<std::size_t>(rank())];
  if (auto done = carry(give, take); !done) return done;
  std::vector<std::byte> sum(bytes);
  copy(mine.scalar, take.front().data, sum.data(), mine.count);
  for (std::size_t r = 1; r < ranks; ++r) add(mine.scalar, take[r].data, sum.data(), mine.count);
  copy(mine.scalar, sum.data(), mine.data, mine.count);
  return {};
}

Result<void> MessageCommunicator::all_reduce(Numbers values) {
  if (auto same = agree(number_of(CollectiveOp::all_reduce), values.count); !same) return same;
  const auto ranks = static_cast<std::size_t>(size());
  if (values.count <= kSmall) {
    const Piece whole{at(values, 0), static_cast<std::size_t>(values.count) * size_of(values.scalar)};
    std::vector<std::byte> received(whole.bytes * ranks);
    Pieces take;
    for (std::size_t r = 0; r < ranks; ++r) take.push_back({received.data() + r * whole.bytes, whole.bytes});
    if (auto done = carry(Pieces(ranks, whole), take); !done) return done;
    for (std::size_t r = 1; r < ranks; ++r) add(values.scalar, take[r].data, take[0].data, values.count);
    copy(values.scalar, take[0].data, values.data, values.count);
    return {};
  }
  std::vector<std::int64_t> counts;
  for (int r = 0; r < size(); ++r) counts.push_back(chunk_range(values.count, size(), r).size());
  const Range own = chunk_range(values.count, size(), rank());
  const Numbers mine{at(values, own.begin), own.size(), values.scalar};
  if (auto done = sum_pieces(values, own.begin, counts, mine); !done) return done;
  const Piece sums{at(values, own.begin), static_cast<std::size_t>(own.size()) * size_of(values.scalar)};
  return carry(Pieces(ranks, sums), pieces_of(values, counts));
}

Result<void> MessageCommunicator::all_gather(Numbers mine, Numbers all) {
  const auto ranks = static_cast<std::size_t>(size());
  const auto counts = announce(number_of(CollectiveOp::all_gather), std::vector<std::int64_t>(ranks, mine.count));
  if (!counts) return counts.error();
  const std::int64_t total = std::accumulate(counts->begin(), counts->end(), std::int64_t{0});
  if (total != all.count)
    return misfit("the ranks gather " + std::to_string(total) + " numbers where " + std::to_string(all.count) +
                  " are expected");
  const Piece own{at(mine, 0), static_cast<std::size_t>(mine.count) * size_of(mine.scalar)};
  return carry(Pieces(ranks, own), pieces_of(all, *counts));
}

Result<void> MessageCommunicator::reduce_scatter(Numbers all, std::span<const std::int64_t> counts, Numbers mine) {
  if (auto same = agree(number_of(CollectiveOp::reduce_scatter), all.count); !same) return same;
  return sum_pieces(all, std::accumulate(counts.begin(), counts.begin() + rank(), std::int64_t{0}), counts, mine);
}

Result<void> MessageCommunicator::all_to_all(Numbers send, std::span<const std::int64_t> send_counts, Numbers receive,
                                             std::span<const std::int64_t> receive_counts) {
  const auto coming = announce(number_of(CollectiveOp::all_to_all), {send_counts.begin(), send_counts.end()});
  if (!coming) return coming.error();
  for (std::size_t r = 0; r < coming->size(); ++r)
    if ((*coming)[r] != receive_counts[r])
      return misfit("rank " + std::to_string(r) + " sends " + std::to_string((*coming)[r]) + " numbers where " +
                    std::to_string(receive_counts[r]) + " are expected");
  return carry(pieces_of(send, send_counts), pieces_of(receive, receive_counts));
}

Result<void> MessageCommunicator::broadcast(Numbers values, int root) {
  if (auto same = agree(number_of(CollectiveOp::broadcast), values.count); !same) return same;
  const auto ranks = static_cast<std::size_t>(size());
  const Piece whole{at(values, 0), static_cast<std::size_t>(values.count) * size_of(values.scalar)};
  Pieces give(ranks), take(ranks);
  if (rank() == root) {
    give.assign(ranks, whole);
    take[static_cast<std::size_t>(root)] = whole;
  } else {
    take[static_cast<std::size_t>(root)] = whole;
  }
  return carry(give, take);
}

Result<void> MessageCommunicator::send(Numbers values, int to) {
  const std::size_t bytes = static_cast<std::size_t>(values.count) * size_of(values.scalar);
  const auto* data = reinterpret_cast<const char*>(values.data);
  const std::int64_t size = static_cast<std::int64_t>(bytes);
  std::string header(sizeof size, '\0');
  std::memcpy(header.data(), &size, sizeof size);
  post_.send_copy(Channel::letter_headers, to, std::move(header));
  each_message(bytes, [&](std::size_t begin, std::size_t part) {
    post_.send_copy(Channel::letters, to, std::string(data + begin, part));
  });
  return {};
}

Result<void> MessageCommunicator::receive(Numbers values, int from) {
  std::int64_t bytes = 0;
  if (auto done = post_.wait({post_.receive(Channel::letter_headers, from, &bytes, sizeof bytes)}); !done) return done;
  const auto expected = static_cast<std::int64_t>(values.count) * static_cast<std::int64_t>(size_of(values.scalar));
  if (bytes != expected)
    return input_error("rank " + std::to_string(from) + " sends " + std::to_string(bytes) + " bytes where " +
                       std::to_string(expected) + " are expected");
  std::vector<int> messages;
  each_message(static_cast<std::size_t>(bytes), [&](std::size_t begin, std::size_t part) {
    messages.push_back(post_.receive(Channel::letters, from, at(values, 0) + begin, part));
  });
  return post_.wait(std::move(messages));
}

Result<void> MessageCommunicator::meet() { return agree(kMeeting, 0); }

}  // namespace tpsim::exec
