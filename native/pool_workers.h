// Workers over a thread pool that belongs to somebody else.
#pragma once
#include <cstddef>
#include <functional>
#include <vector>

#include "workers.h"

namespace convista {

// The pool: XLA's in the library, plain threads in the tests.
class Pool {
 public:
  virtual ~Pool() = default;
  virtual int threads() const = 0;
  virtual void schedule(std::function<void()> task) = 0;
};

struct Block {
  void* memory;
  std::size_t bytes;
};

// One kernel call. The calling thread may itself be one of the pool's, so it never waits for a task that has not
// started: it takes chunks from an atomic counter until none is left, then waits only for chunks already in other hands.
class PoolWorkers final : public Workers {
 public:
  explicit PoolWorkers(Pool& pool) : pool_(pool) {}
  ~PoolWorkers() override;
  PoolWorkers(const PoolWorkers&) = delete;
  PoolWorkers& operator=(const PoolWorkers&) = delete;

  int threads() const override { return pool_.threads(); }
  // Throws std::bad_alloc when a task ran out of memory.
  void run(int count, const std::function<void(int)>& task) override;
  void* scratch(int slot, std::size_t bytes) override;
  void* shared(std::size_t bytes) override;

 private:
  Pool& pool_;
  std::vector<Block> shared_;
};

}  // namespace convista
