// Every chunk once, no deadlock when kernels run on the pool's own threads, memory that is kept.
#include "../pool_workers.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include "expect.h"
#include "thread_pool.h"

namespace {

using namespace convista;

void check_every_chunk_runs_once() {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int count : {0, 1, 2, 3, 7, 100, 1000}) {
      std::vector<std::atomic<int>> times(count);
      PoolWorkers workers(pool);
      workers.run(count, [&](int i) { times[i].fetch_add(1); });
      for (int i = 0; i < count; ++i) expect(times[i] == 1, "a chunk runs once");
    }
  }
}

// One kernel: fills shared memory in parallel, then sums it in order, with scratch on every thread.
int64_t kernel(Pool& pool, int count) {
  PoolWorkers workers(pool);
  auto* first = static_cast<int64_t*>(workers.shared(count * sizeof(int64_t)));
  auto* second = static_cast<int64_t*>(workers.shared(count * sizeof(int64_t)));
  workers.run(count, [&](int i) {
    auto* scratch = static_cast<int64_t*>(workers.scratch(i % 4, 1000 * sizeof(int64_t)));
    for (int64_t k = 0; k < 1000; ++k) scratch[k] = k + i;
    for (int64_t k = 0; k < 1000; ++k) first[i] = k == 0 ? scratch[k] : first[i] + scratch[k];
  });
  workers.run(count, [&](int i) { second[i] = 2 * first[i]; });
  int64_t total = 0;
  for (int i = 0; i < count; ++i) total += second[i];
  return total;
}

int64_t kernel_oracle(int64_t count) { return 2 * (count * 1000 * 999 / 2 + 1000 * count * (count - 1) / 2); }

// Every thread of the pool runs kernels, as XLA does with independent operations: helpers rarely start in time, and
// nobody may wait for them.
void check_kernels_on_the_pools_own_threads() {
  for (int threads : {1, 2, 4}) {
    std::atomic<int> right{0}, done{0};
    {
      ThreadPool pool(threads);
      for (int i = 0; i < 300; ++i) {
        pool.schedule([&pool, &right, &done, i] {
          const int count = 1 + i % 17;
          right += kernel(pool, count) == kernel_oracle(count);
          ++done;
        });
      }
      for (int i = 0; i < 100; ++i) expect(kernel(pool, 9) == kernel_oracle(9), "a kernel from outside the pool");
    }
    expect(done == 300 && right == 300, "kernels on the pool's threads are all right");
  }
}

void check_running_out_of_memory() {
  ThreadPool pool(3);
  PoolWorkers workers(pool);
  std::atomic<int> ran{0};
  bool caught = false;
  try {
    workers.run(20, [&](int i) {
      ++ran;
      if (i % 7 == 3) throw std::bad_alloc();
    });
  } catch (const std::bad_alloc&) {
    caught = true;
  }
  expect(caught && ran == 20, "a chunk without memory fails the call after all chunks have run");
  caught = false;
  try {
    workers.scratch(0, SIZE_MAX - 100);
  } catch (const std::bad_alloc&) {
    caught = true;
  }
  expect(caught, "an impossible size is refused");
}

// Gives the first helper to its pool and has no memory for the second.
class FullPool final : public Pool {
 public:
  explicit FullPool(Pool& pool) : pool_(pool) {}
  int threads() const override { return pool_.threads(); }
  void schedule(std::function<void()> task) override {
    if (++asked_ % 2 == 0) throw std::bad_alloc();
    pool_.schedule(std::move(task));
  }

 private:
  Pool& pool_;
  int asked_ = 0;
};

void check_a_pool_without_memory_for_its_helpers() {
  ThreadPool pool(3);
  FullPool full(pool);
  for (int call = 0; call < 100; ++call) {
    std::atomic<int> ran{0};
    PoolWorkers workers(full);
    workers.run(20, [&](int) { ++ran; });
    expect(ran == 20, "without helpers the calling thread runs every chunk before it returns");
  }
}

void check_memory() {
  ThreadPool pool(1);
  PoolWorkers workers(pool);
  void* first = workers.scratch(1, 100);
  expect(reinterpret_cast<uintptr_t>(first) % 64 == 0, "scratch is aligned");
  expect(workers.scratch(1, 50) == first, "scratch does not shrink");
  void* large = workers.scratch(1, 5 << 20);
  expect(workers.scratch(1, 100) == large, "scratch stays large");
  expect(workers.scratch(2, 100) != large, "slots are apart");
  std::set<void*> blocks;
  for (int i = 0; i < 5; ++i) blocks.insert(workers.shared(1000));
  expect(blocks.size() == 5, "shared blocks of one call are apart");
  for (void* block : blocks) expect(reinterpret_cast<uintptr_t>(block) % 64 == 0, "shared memory is aligned");
}

long page_faults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

void check_no_page_faults_after_warm_up() {
  ThreadPool pool(1);
  const auto step = [&] {
    PoolWorkers workers(pool);
    std::memset(workers.shared(6 << 20), 1, 6 << 20);
    std::memset(workers.shared(1 << 20), 1, 1 << 20);
    std::memset(workers.scratch(3, 3 << 20), 1, 3 << 20);
  };
  for (int i = 0; i < 3; ++i) step();
  const long before = page_faults();
  for (int i = 0; i < 50; ++i) step();
  const long faults = page_faults() - before;
  expect(faults < 50, "after warm-up memory is there: " + std::to_string(faults) + " page faults in 50 steps");
}

}  // namespace

int main() {
  alarm(120);  // a deadlock ends here
  check_every_chunk_runs_once();
  check_kernels_on_the_pools_own_threads();
  check_running_out_of_memory();
  check_a_pool_without_memory_for_its_helpers();
  check_memory();
  check_no_page_faults_after_warm_up();
  return verdict();
}
