// GFLOP/s of forward, input gradient and kernel gradient per shape (best of many), and the share of the FMA peak: the median of the
// ratios to the burst of pure multiply-adds that follows each call. The best burst of all is no measure: on a shared machine with a
// swinging clock a short burst finds a quiet moment that a longer kernel never gets, and 95 % look like 75. A transposed
// convolution's forward is the column dx. One thread is timed by its processor time, so that neighbours on a busy machine count less;
// several threads by the clock on the wall. Only products with real inputs count: a tap on padding is no work.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>
#include "../convolution.h"
#include "multiply_adds.h"
#include "thread_workers.h"

namespace {

using namespace convista;
namespace target = convista::CONVISTA_TARGET;

double now(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds_of(int threads, const std::function<void()>& work) {
  const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  const double start = now(clock);
  work();
  return now(clock) - start;
}

// Operations per second of one burst on all threads. No task begins before all have: otherwise the first thread that is awake does
// the work of the others too, and the peak comes out as that of one core (216 instead of 434 GFLOP/s on two).
double burst(Workers& workers, int threads) {
  constexpr long kCount = 40000;
  const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  std::atomic<int> arrived{0};
  std::vector<double> begin(threads), end(threads), work(threads);
  workers.run(threads, [&](int task) {
    ++arrived;
    while (arrived.load() < threads) std::this_thread::yield();
    begin[task] = now(clock);
    work[task] = target::multiply_adds(kCount, 0.001f);
    end[task] = now(clock);
  });
  const double seconds = *std::max_element(end.begin(), end.end()) - *std::min_element(begin.begin(), begin.end());
  return std::accumulate(work.begin(), work.end(), 0.0) / seconds;
}

double peak = 0;  // best burst so far

struct Speed {
  double best, share;
};

Speed measure_speed(Workers& workers, int threads, double budget, double operations, const std::function<void()>& work) {
  const double end = now(CLOCK_MONOTONIC) + budget;
  double best = 0;
  std::vector<double> shares;
  while (shares.size() < 5 || now(CLOCK_MONOTONIC) < end) {
    const double speed = operations / seconds_of(threads, work), pure = burst(workers, threads);
    best = std::max(best, speed);
    peak = std::max(peak, pure);
    shares.push_back(speed / pure);
  }
  std::nth_element(shares.begin(), shares.begin() + shares.size() / 2, shares.end());
  return {best, shares[shares.size() / 2]};
}

struct Shape {
  const char* name;
  int64_t batch, in, channels, filters, kernel, stride, padding, groups;
  int axes = 2;
  int64_t dilation = 1;
};

const Shape kShapes[] = {
    {"lecture 1: 28² 1→32 3×3", 128, 28, 1, 32, 3, 1, 0, 1},
    {"lecture 2: 13² 32→64 3×3", 128, 13, 32, 64, 3, 1, 0, 1},
    {"lecture 3: 5² 64→128 3×3", 128, 5, 64, 128, 3, 1, 0, 1},
    {"32² 3→64 3×3 same", 16, 32, 3, 64, 3, 1, 1, 1},
    {"56² 64→64 3×3 same", 1, 56, 64, 64, 3, 1, 1, 1},
    {"28² 128→128 3×3 same", 1, 28, 128, 128, 3, 1, 1, 1},
    {"14² 256→256 3×3 same", 2, 14, 256, 256, 3, 1, 1, 1},
    {"7² 512→512 3×3 same", 8, 7, 512, 512, 3, 1, 1, 1},
    {"4² 512→512 3×3 same", 32, 4, 512, 512, 3, 1, 1, 1},
    {"28² 128→256 3×3 stride 2", 2, 28, 128, 256, 3, 2, 1, 1},
    {"14² 256→512 1×1", 16, 14, 256, 512, 1, 1, 0, 1},
    {"28² 128→256 1×1 stride 2", 16, 28, 128, 256, 1, 2, 0, 1},
    {"14² 64→96 5×5 same", 8, 14, 64, 96, 5, 1, 2, 1},
    {"56² 3→64 7×7 stride 2", 8, 112, 3, 64, 7, 2, 3, 1},
    {"28² 64→64 7×7 same", 2, 28, 64, 64, 7, 1, 3, 1},
    {"14² 100→100 3×3 same", 8, 14, 100, 100, 3, 1, 1, 1},
    {"28² 128→128 3×3, 4 groups", 4, 28, 128, 128, 3, 1, 1, 4},
    {"56² 64 depthwise 3×3", 8, 56, 64, 64, 3, 1, 1, 64},
    {"28² 256 depthwise 3×3", 8, 28, 256, 256, 3, 1, 1, 256},
    {"28² 256 depthwise 3×3 s2", 8, 28, 256, 256, 3, 2, 1, 256},
    {"14² 512 depthwise 5×5", 8, 14, 512, 512, 5, 1, 2, 512},
    {"7² 1024 depthwise 3×3", 32, 7, 1024, 1024, 3, 1, 1, 1024},
    {"56² 32→64 depthwise 3×3 ×2", 8, 56, 32, 64, 3, 1, 1, 32},
    {"60 000 1→32 3, dilation 8", 1, 60000, 1, 32, 3, 1, 8, 1, 1, 8},
    {"60 000 32→32 3, dilation 16", 1, 60000, 32, 32, 3, 1, 16, 1, 1, 16},
    {"60 000 16→16 9, dilation 4", 1, 60000, 16, 16, 9, 1, 16, 1, 1, 4},
    {"60 000 16→32 4 stride 2", 1, 60000, 16, 32, 4, 2, 1, 1, 1},
    {"60 000 1→16 8 stride 4", 1, 60000, 1, 16, 8, 4, 2, 1, 1},
    {"64³ 1→16 3³ same", 1, 64, 1, 16, 3, 1, 1, 1, 3},
    {"64³ 16→16 3³ same", 1, 64, 16, 16, 3, 1, 1, 1, 3},
    {"64³ 16→32 3³ same", 1, 64, 16, 32, 3, 1, 1, 1, 3},
    {"32³ 32→32 3³ same", 1, 32, 32, 32, 3, 1, 1, 1, 3},
};

ConvolutionGeometry geometry(const Shape& s) {
  const int64_t out = (s.in + 2 * s.padding - (s.kernel - 1) * s.dilation - 1) / s.stride + 1;
  ConvolutionGeometry g{s.batch, s.channels, s.filters, s.groups, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
  for (int i = 3 - s.axes; i < 3; ++i)
    g.in[i] = s.in, g.out[i] = out, g.kernel[i] = s.kernel, g.stride[i] = s.stride, g.dilation[i] = s.dilation, g.before[i] = s.padding;
  return g;
}

int64_t volume(const int64_t size[3]) { return size[0] * size[1] * size[2]; }

double real_operations(const ConvolutionGeometry& g) {
  double taps = 1;
  for (int i = 0; i < 3; ++i) {
    int64_t inside = 0;
    for (int64_t o = 0; o < g.out[i]; ++o)
      for (int64_t k = 0; k < g.kernel[i]; ++k) {
        const int64_t at = o * g.stride[i] + k * g.dilation[i] - g.before[i];
        inside += at >= 0 && at < g.in[i];
      }
    taps *= static_cast<double>(inside);
  }
  return 2.0 * g.batch * taps * (g.in_channels / g.groups) * g.out_channels;
}

// 64-byte aligned, as XLA's buffers are: where every vector crosses a cache line, a kernel that loads vectors is a third slower.
struct Numbers {
  explicit Numbers(int64_t count) : values(static_cast<float*>(std::aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64))) {
    for (int64_t i = 0; i < count; ++i) values.get()[i] = static_cast<float>(i * 7919 % 2000) / 1000.0f - 1.0f;
  }
  float* data() const { return values.get(); }
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::unique_ptr<float, Free> values;
};

void measure(const Shape& shape, Workers& workers, int threads, double budget) {
  const ConvolutionGeometry g = geometry(shape);
  const int64_t sources = g.batch * volume(g.in) * g.in_channels, targets = g.batch * volume(g.out) * g.out_channels;
  const int64_t weights = volume(g.kernel) * g.in_channels / g.groups * g.out_channels;
  const Numbers x(sources), w(weights), dy(targets), bias(g.out_channels), y(targets), dx(sources), dw(weights), dbias(g.out_channels);
  const double operations = real_operations(g);
  std::printf("%-30s", shape.name);
  const auto report = [&](const std::function<void()>& call) {
    const Speed speed = measure_speed(workers, threads, budget, operations, call);
    std::printf("%8.1f %3.0f%%", speed.best / 1e9, 100 * speed.share);
    std::fflush(stdout);
  };
  report([&] { target::convolution_forward(g, x.data(), w.data(), bias.data(), true, y.data(), workers); });
  report([&] { target::convolution_input_gradient(g, dy.data(), w.data(), dx.data(), workers); });
  report([&] { target::convolution_kernel_gradient(g, x.data(), dy.data(), dw.data(), dbias.data(), workers); });
  std::printf("\n");
}

}  // namespace

// convolution_bench [threads] [seconds per entry] [part of a shape's name]
int main(int count, char** arguments) {
  const int threads = count > 1 ? std::atoi(arguments[1]) : 2;
  const double budget = count > 2 ? std::atof(arguments[2]) : 0.3;
  ThreadWorkers workers(threads);
  for (int repeat = 0; repeat < 200; ++repeat) peak = std::max(peak, burst(workers, threads));
  std::printf("%d threads, FMA peak %.1f GFLOP/s\n%-30s%13s%13s%13s\n", threads, peak / 1e9, "shape", "forward", "dx", "dw");
  for (const Shape& shape : kShapes)
    if (count <= 3 || std::strstr(shape.name, arguments[3])) measure(shape, workers, threads, budget);
}
