#include "pool_workers.h"

#include <atomic>
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <memory>
#include <mutex>
#include <new>

#include "huge_pages.h"

namespace convista {
namespace {

constexpr int kSlots = 4;
constexpr std::size_t kAlignment = 64;

// Blocks grow to powers of two and are kept: memory that glibc gives back to the kernel comes back as page faults,
// half of another framework's training step.
std::size_t capacity(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 4) throw std::bad_alloc();
  return std::bit_ceil(std::max(bytes, std::size_t{4096}));
}

void* allocate(std::size_t bytes) {
  void* memory = std::aligned_alloc(bytes >= kHugePage ? kHugePage : kAlignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  prefer_huge_pages(memory, bytes);
  return memory;
}

struct Arena {
  void* memory[kSlots] = {};
  std::size_t bytes[kSlots] = {};
  ~Arena() {
    for (void* block : memory) std::free(block);
  }
};
thread_local Arena arena;

// What kernel calls share among their tasks, between calls. As many blocks as were ever in use at once.
class SharedBlocks {
 public:
  Block take(std::size_t bytes) {
    const std::size_t wanted = capacity(bytes);
    Block too_small{nullptr, 0};
    {
      std::lock_guard lock(mutex_);
      auto best = free_.end();
      for (auto block = free_.begin(); block != free_.end(); ++block) {
        if (block->bytes >= wanted && (best == free_.end() || block->bytes < best->bytes)) best = block;
      }
      if (best != free_.end()) {
        const Block found = *best;
        free_.erase(best);
        return found;
      }
      if (!free_.empty()) {
        too_small = free_.back();
        free_.pop_back();
      }
    }
    std::free(too_small.memory);
    return {allocate(wanted), wanted};
  }

  void give_back(Block block) noexcept {
    try {
      std::lock_guard lock(mutex_);
      free_.push_back(block);
    } catch (const std::bad_alloc&) {
      std::free(block.memory);
    }
  }

 private:
  std::mutex mutex_;
  std::vector<Block> free_;
};

// Never destroyed: the pool's threads may outlive static destruction.
SharedBlocks& shared_blocks() {
  static SharedBlocks* blocks = new SharedBlocks;
  return *blocks;
}

// Outlives run(): a helper that starts late finds no chunk left and touches nothing but the counters.
struct Job {
  Job(int count, const std::function<void(int)>& task) : count(count), task(&task) {}

  const int count;
  const std::function<void(int)>* task;  // valid while a chunk is not done
  std::atomic<int> next{0};
  std::atomic<int> done{0};
  std::atomic<bool> out_of_memory{false};

  void drain() {
    for (;;) {
      const int chunk = next.fetch_add(1, std::memory_order_relaxed);
      if (chunk >= count) return;
      try {
        (*task)(chunk);
      } catch (const std::bad_alloc&) {
        out_of_memory.store(true, std::memory_order_relaxed);
      }
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done.notify_all();
    }
  }

  void wait() {
    for (int seen = done.load(std::memory_order_acquire); seen < count; seen = done.load(std::memory_order_acquire)) {
      done.wait(seen, std::memory_order_acquire);
    }
  }
};

}  // namespace

PoolWorkers::~PoolWorkers() {
  for (const Block& block : shared_) shared_blocks().give_back(block);
}

// Tried and lost: helpers that stay awake between the two to four parts of a kernel call, spinning for 50 microseconds. A step of the lecture
// convnet took 8.5 instead of 8.6 ms, within the noise. Nor did threads of our own that spin for 0.1 to 1 ms after each task: 8.5 to 8.9.
void PoolWorkers::run(int count, const std::function<void(int)>& task) {
  const int helpers = std::min(pool_.threads(), count) - 1;
  if (helpers < 1) {
    for (int chunk = 0; chunk < count; ++chunk) task(chunk);
    return;
  }
  const auto job = std::make_shared<Job>(count, task);
  try {
    for (int helper = 0; helper < helpers; ++helper) pool_.schedule([job] { job->drain(); });
  } catch (const std::bad_alloc&) {
    // Helpers that are already on their way call the task, so this frame stays; the calling thread does what they leave.
  }
  job->drain();
  job->wait();
  if (job->out_of_memory.load(std::memory_order_relaxed)) throw std::bad_alloc();
}

void* PoolWorkers::scratch(int slot, std::size_t bytes) {
  if (arena.bytes[slot] < bytes) {
    const std::size_t wanted = capacity(bytes);
    std::free(arena.memory[slot]);
    arena.memory[slot] = nullptr;
    arena.bytes[slot] = 0;
    arena.memory[slot] = allocate(wanted);
    arena.bytes[slot] = wanted;
  }
  return arena.memory[slot];
}

void* PoolWorkers::shared(std::size_t bytes) {
  shared_.reserve(shared_.size() + 1);
  shared_.push_back(shared_blocks().take(bytes));
  return shared_.back().memory;
}

}  // namespace convista
