// Prints the machine's float32 multiply-adds in operations per second, the best of many short bursts on all threads at once.
// Compiled for the machine it runs on (-march=native): it is built where it measures, and never installed.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "multiply_adds.h"

namespace {

using Clock = std::chrono::steady_clock;
namespace target = convista::CONVISTA_TARGET;

// All threads start a burst together, at a moment that the last to arrive chooses: handing out tasks would let one thread that is
// awake do the work of another that is not, and find the peak of one core.
class Start {
 public:
  explicit Start(int threads) : threads_(threads) {}
  void wait() {
    const int round = round_.load();
    if (++arrived_ == threads_) {
      arrived_ = 0;
      ++round_;
    } else {
      while (round_.load() == round) std::this_thread::yield();
    }
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0}, round_{0};
};

struct Span {
  Clock::time_point begin, end;
  double work;
};

}  // namespace

// fma_peak [threads] [bursts]
int main(int count, char** arguments) {
  constexpr long kCount = 200000;
  const int threads = count > 1 ? std::max(1, std::atoi(arguments[1])) : 1;
  const int bursts = count > 2 ? std::max(1, std::atoi(arguments[2])) : 200;
  Start start(threads);
  std::vector<std::vector<Span>> spans(threads, std::vector<Span>(bursts));
  const auto measure = [&](int thread) {
    for (Span& span : spans[thread]) {
      start.wait();
      span.begin = Clock::now();
      span.work = target::multiply_adds(kCount, 0.001f);
      span.end = Clock::now();
    }
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(measure, thread);
  measure(0);
  for (std::thread& other : others) other.join();
  double peak = 0;
  for (int burst = 0; burst < bursts; ++burst) {
    Span all = spans[0][burst];
    for (int thread = 1; thread < threads; ++thread) {
      const Span& span = spans[thread][burst];
      all = {std::min(all.begin, span.begin), std::max(all.end, span.end), all.work + span.work};
    }
    peak = std::max(peak, all.work / std::chrono::duration<double>(all.end - all.begin).count());
  }
  std::printf("%.6e\n", peak);
}
