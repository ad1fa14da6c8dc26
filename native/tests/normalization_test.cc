// Compares batch normalisation with double-precision loops. Compiled once per instruction set.
#include "../normalization.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../pool_workers.h"
#include "buffer.h"
#include "expect.h"
#include "thread_pool.h"

namespace {

using namespace convista;
namespace target = convista::CONVISTA_TARGET;

ThreadPool one(1), three(3);
constexpr float kEpsilon = 1e-3f;

bool close(double got, double exact, double scale) { return std::fabs(got - exact) <= 2e-5 * (scale + 1e-3); }

struct Numbers {
  Buffer<float> x, dy, scale, offset, mask;
  Numbers(const NormalizationGeometry& g, int skip, unsigned seed, double middle, bool masked)
      : x(g.batch * g.positions * g.channels, skip), dy(x.size, skip), scale(g.channels, skip), offset(g.channels, skip), mask(g.batch, skip) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    for (int64_t i = 0; i < x.size; ++i) x.data[i] = static_cast<float>(middle + normal(random) * (1 + static_cast<double>(i % g.channels)));
    for (Buffer<float>* buffer : {&dy, &scale, &offset})
      for (int64_t i = 0; i < buffer->size; ++i) buffer->data[i] = static_cast<float>(normal(random));
    for (int64_t i = 0; i < g.batch; ++i) mask.data[i] = !masked || i == 0 ? 1.0f : static_cast<float>(random() % 3) / 2;
    // What does not count may be anything.
    const int64_t picture = g.positions * g.channels;
    for (int64_t i = 0; i < x.size; ++i)
      if (mask.data[i / picture] == 0.0f) x.data[i] = random() % 2 ? std::numeric_limits<float>::infinity() : std::nanf("");
  }
};

struct Results {
  Buffer<float> y, mean, variance, dx, dscale, doffset;
  Results(const Numbers& in, int skip)
      : y(in.x.size, skip), mean(in.scale.size, skip), variance(in.scale.size, skip), dx(in.x.size, skip), dscale(in.scale.size, skip),
        doffset(in.scale.size, skip) {}
};

void run(const NormalizationGeometry& g, const Numbers& in, bool relu, Pool& pool, Results& out) {
  PoolWorkers workers(pool);
  target::normalization_forward(g, in.x.data, in.scale.data, in.offset.data, in.mask.data, kEpsilon, relu, out.y.data, out.mean.data,
                                out.variance.data, workers);
  target::normalization_gradient(g, in.dy.data, in.x.data, in.scale.data, in.offset.data, out.mean.data, out.variance.data, in.mask.data,
                                 kEpsilon, relu, out.dx.data, out.dscale.data, out.doffset.data, workers);
}

void check_channel(const NormalizationGeometry& g, const Numbers& in, bool relu, const Results& out, int64_t c) {
  const int64_t rows = g.batch * g.positions;
  const auto weight = [&](int64_t row) { return static_cast<double>(in.mask.data[row / g.positions]); };
  double total = 0, mean = 0, variance = 0;
  for (int64_t row = 0; row < rows; ++row)
    if (weight(row) != 0) total += weight(row), mean += weight(row) * in.x.data[row * g.channels + c];
  mean /= total;
  for (int64_t row = 0; row < rows; ++row)
    if (weight(row) != 0) variance += weight(row) * std::pow(in.x.data[row * g.channels + c] - mean, 2);
  variance /= total;
  const double deviation = std::sqrt(variance + kEpsilon), scale = in.scale.data[c];
  expect(close(out.mean.data[c], mean, std::fabs(mean) + std::sqrt(variance)), "the mean");
  expect(close(out.variance.data[c], variance, variance), "the variance");
  double plain = 0, turned = 0, size = 0;
  std::vector<double> gradient(rows), distance(rows);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t at = row * g.channels + c;
    distance[row] = (in.x.data[at] - mean) / deviation;
    const double y = distance[row] * scale + in.offset.data[c];
    // Where rounding decides what relu keeps, the kernel's own result does.
    gradient[row] = !relu || out.y.data[at] > 0 ? in.dy.data[at] : 0.0;
    if (weight(row) == 0) continue;
    expect(close(out.y.data[at], relu && y < 0 ? 0 : y, std::fabs(scale) * (std::fabs(distance[row]) + std::fabs(mean / deviation) * 0.01) + 1), "a value");
    plain += gradient[row], turned += gradient[row] * distance[row], size += std::fabs(gradient[row] * distance[row]);
  }
  // Rows that do not count hold NaN and infinity; what comes back to them is none of anybody's business.
  bool all = true;
  for (int64_t row = 0; row < rows; ++row) all = all && weight(row) != 0;
  if (!all) return;
  expect(close(out.doffset.data[c], plain, size + std::fabs(plain)), "the gradient by offset");
  expect(close(out.dscale.data[c], turned, size + std::fabs(mean / deviation) * 0.01), "the gradient by scale");
  for (int64_t row = 0; row < rows; ++row) {
    const double exact = scale / deviation * (gradient[row] - weight(row) / total * (plain + distance[row] * turned));
    const double part = std::fabs(scale / deviation) * (std::fabs(gradient[row]) + (size + std::fabs(plain)) * (1 + std::fabs(distance[row])) / total);
    expect(close(out.dx.data[row * g.channels + c], exact, part), "the gradient by input");
  }
}

void check_geometry(const NormalizationGeometry& g, int skip, unsigned seed) {
  for (int kind = 0; kind < 6; ++kind) {
    const bool relu = kind % 2, masked = kind >= 4;
    const Numbers in(g, skip, seed, kind / 2 == 1 ? 100.0 : 0.5, masked);
    Results out(in, skip), alone(in, skip);
    run(g, in, relu, three, out);
    run(g, in, relu, one, alone);
    for (const auto& [a, b] : {std::pair(&out.y, &alone.y), {&out.mean, &alone.mean}, {&out.variance, &alone.variance}, {&out.dx, &alone.dx},
                               {&out.dscale, &alone.dscale}, {&out.doffset, &alone.doffset}})
      expect(same(*a, *b), "batch normalisation is the same for one and three threads");
    for (int64_t c = 0; c < g.channels; ++c) check_channel(g, in, relu, out, c);
  }
}

void check_random(int wanted) {
  std::mt19937 random(3);
  const int64_t channels[] = {1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 50, 129};
  for (int done = 0; done < wanted; ++done) {
    const auto batch = static_cast<int64_t>(1 + random() % 9), positions = static_cast<int64_t>(1 + random() % 40);
    const NormalizationGeometry g{batch, positions, channels[random() % std::size(channels)]};
    check_geometry(g, static_cast<int>(random() % 4), static_cast<unsigned>(random()));
  }
}

// The test must be able to fail.
void check_the_check() { expect(!close(1.0, 1.0001, 1) && !close(0.0, std::nan(""), 1), "a wrong number is seen"); }

}  // namespace

int main(int count, char** arguments) {
  check_the_check();
  check_geometry({8, 900, 32}, 0, 1);   // several chunks, which end inside pictures
  check_geometry({3, 13, 3000}, 1, 2);  // chunks of the fewest rows
  check_geometry({700, 1, 70}, 2, 3);
  check_geometry({1, 1, 5}, 3, 4);
  for (int skip : {0, 1}) {  // enough numbers to be streamed, at an address that allows it and at another
    const Buffer<float> large(130 * 64 * 128, skip);
    expect(target::may_stream(large.data, 130 * 64, 128) == (skip == 0), "large arrays at a vector's begin are streamed");
    check_geometry({130, 64, 128}, skip, 5);
  }
  check_random(count > 1 ? std::atoi(arguments[1]) : 200);
  return verdict();
}
