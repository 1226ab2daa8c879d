#include "exec/cuda/emulation/cuda_on_cpu.h"

#include <ucontext.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

namespace tpsim::exec::cuda::emulation {
namespace {

constexpr std::size_t kStack = 64 * 1024;
constexpr unsigned kWarpSize = 32;

enum class State { ready, at_block_barrier, at_warp_barrier, done };

struct Fiber {
  ucontext_t context{};
  std::unique_ptr<unsigned char[]> stack = std::make_unique<unsigned char[]>(kStack);
  State state = State::ready;
  std::uint32_t given = 0;  // to the other lanes
};

struct Block {
  std::vector<Fiber> fibers;
  ucontext_t scheduler{};
  const std::function<void()>* kernel = nullptr;
  std::vector<unsigned char> shared;
  Place place;
  std::size_t running = 0;
  Order order = Order::ascending;
};

thread_local Block block;

void thread_body() {
  (*block.kernel)();
  block.fibers[block.running].state = State::done;
}

void start(Fiber& fiber) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStack;
  fiber.context.uc_link = &block.scheduler;
  fiber.state = State::ready;
  makecontext(&fiber.context, thread_body, 0);
}

void wait_at(State barrier) {
  Fiber& self = block.fibers[block.running];
  self.state = barrier;
  swapcontext(&self.context, &block.scheduler);
}

void run_ready(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) {
    const std::size_t t = block.order == Order::ascending ? i : threads - 1 - i;
    if (block.fibers[t].state != State::ready) continue;
    block.running = t;
    block.place.thread = dim3(static_cast<unsigned>(t), 0, 0);
    swapcontext(&block.scheduler, &block.fibers[t].context);
  }
}

// Lets threads [begin, end) go on if all of them stand at the barrier.
bool pass(std::size_t begin, std::size_t end, State barrier) {
  for (std::size_t t = begin; t < end; ++t)
    if (block.fibers[t].state != barrier) return false;
  for (std::size_t t = begin; t < end; ++t) block.fibers[t].state = State::ready;
  return true;
}

bool pass_barriers(std::size_t threads) {
  bool any = pass(0, threads, State::at_block_barrier);
  for (std::size_t warp = 0; warp < threads; warp += kWarpSize)
    any |= pass(warp, std::min<std::size_t>(warp + kWarpSize, threads), State::at_warp_barrier);
  return any;
}

void run_block(std::size_t threads) {
  std::fill(block.shared.begin(), block.shared.end(), static_cast<unsigned char>(0xFF));  // NaN in every type
  for (std::size_t t = 0; t < threads; ++t) start(block.fibers[t]);
  do run_ready(threads);
  while (pass_barriers(threads));
  for (std::size_t t = 0; t < threads; ++t)
    if (block.fibers[t].state != State::done)
      throw std::logic_error("the threads of a block do not meet at the same barrier");
}

}  // namespace

void set_order(Order order) { block.order = order; }

void run(dim3 grid, unsigned threads, std::size_t shared_bytes, const std::function<void()>& kernel) {
  block.kernel = &kernel;
  block.shared.resize(shared_bytes);
  if (block.fibers.size() < threads) block.fibers.resize(threads);
  block.place.grid = grid;
  block.place.block_size = dim3(threads);
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        block.place.block = dim3(x, y, z);
        run_block(threads);
      }
}

unsigned char* shared_memory() { return block.shared.data(); }
void block_barrier() { wait_at(State::at_block_barrier); }
void warp_barrier() { wait_at(State::at_warp_barrier); }
unsigned lane() { return static_cast<unsigned>(block.running) % kWarpSize; }
const Place& place() { return block.place; }

std::uint32_t exchange(std::uint32_t value, unsigned from) {
  const std::size_t first = block.running / kWarpSize * kWarpSize;
  block.fibers[block.running].given = value;
  warp_barrier();
  const std::uint32_t got = block.fibers[first + from].given;
  warp_barrier();
  return got;
}

}  // namespace tpsim::exec::cuda::emulation
