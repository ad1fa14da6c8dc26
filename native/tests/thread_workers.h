// Workers on plain threads, for tests and benchmarks of the algorithms alone.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>
#include "../workers.h"

namespace convista {

// Memory that grows; each byte starts as 0xFF (a NaN) when `poison` is set, so that nothing may rely on what was there.
class GrowingMemory {
 public:
  void* need(std::size_t bytes, bool poison) {
    if (bytes > size_) {
      memory_.reset(static_cast<char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
      if (!memory_) throw std::bad_alloc();
      size_ = bytes;
    }
    if (poison && bytes) std::memset(memory_.get(), 0xFF, bytes);
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  std::unique_ptr<char, Free> memory_;
  std::size_t size_ = 0;
};

class ThreadWorkers : public Workers {
 public:
  int threads() const override { return static_cast<int>(memory_.size()); }
  explicit ThreadWorkers(int threads, bool poison = false) : poison_(poison), memory_(threads) {
    for (int i = 1; i < threads; ++i) threads_.emplace_back([this, i] { wait_for_work(i); });
  }
  ~ThreadWorkers() override {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      ++generation_;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(int count, const std::function<void(int)>& task) override {
    if (count == 0) return;
    {
      std::lock_guard lock(mutex_);
      task_ = &task;
      count_ = count;
      next_ = 0;
      busy_ = static_cast<int>(threads_.size());
      ++generation_;
    }
    wake_.notify_all();
    work(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }

  void* scratch(int slot, std::size_t bytes) override { return memory_[current_].slots[slot].need(bytes, poison_); }
  void* shared(std::size_t bytes) override { return shared_.need(bytes, poison_); }

 private:
  struct PerThread {
    GrowingMemory slots[4];
  };

  void work(int thread) {
    current_ = thread;
    for (int i = next_++; i < count_; i = next_++) (*task_)(i);
  }

  void wait_for_work(int thread) {
    for (long seen = 0;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_ != seen; });
        seen = generation_;
        if (stop_) return;
      }
      work(thread);
      std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  static thread_local int current_;
  bool poison_;
  std::vector<PerThread> memory_;
  GrowingMemory shared_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int)>* task_ = nullptr;
  std::atomic<int> next_{0};
  int count_ = 0, busy_ = 0;
  long generation_ = 0;
  bool stop_ = false;
};
inline thread_local int ThreadWorkers::current_ = 0;

}  // namespace convista
