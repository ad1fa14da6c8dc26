#pragma once
#include <cstddef>
#include <functional>
namespace convista {
// Runs task(0) … task(count − 1), each exactly once, on any threads, and returns when all are done. Results must not depend on
// which thread runs what: partition by shape, reduce partial sums in task order.
class Workers {
 public:
  virtual ~Workers() = default;
  // How many threads may run tasks at once. For cutting work whose results do not depend on how it is cut.
  virtual int threads() const = 0;
  virtual void run(int count, const std::function<void(int)>& task) = 0;
  // Scratch memory of at least `bytes`, 64-byte aligned, for the calling thread; valid until its next call with the same slot (0…3). Never shrinks.
  virtual void* scratch(int slot, std::size_t bytes) = 0;
  // Scratch memory shared by all tasks of one kernel call; owned by the call.
  virtual void* shared(std::size_t bytes) = 0;
};
}
