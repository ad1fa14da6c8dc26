// Compares the bfloat16 kernels with double-precision loops over the same rounded numbers. Compiled once per instruction set.
#include "../bfloat16_block.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../pool_workers.h"
#include "../pooling.h"
#include "../tile_permission.h"
#include "buffer.h"
#include "convolution_oracle.h"
#include "expect.h"
#include "thread_pool.h"

namespace {

using namespace convista;
namespace target = convista::CONVISTA_TARGET;

ThreadPool one(1), three(3);

// Numbers that bfloat16 holds exactly, in both formats.
struct Pictures {
  Buffer<Bfloat16> halves;
  std::vector<float> floats;
  Pictures(int64_t size, int skip, std::mt19937& random) : halves(size, skip), floats(size) {
    for (int64_t i = 0; i < size; ++i) {
      halves.data[i].bits = target::narrowed(static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0f);
      floats[i] = target::widened(halves.data[i]);
    }
  }
};

struct Case {
  ConvolutionGeometry g;
  Pictures x, dy;
  Buffer<float> w, bias;
  std::vector<float> rounded_w;
  Case(const ConvolutionGeometry& g, int skip, unsigned seed) : Case(g, skip, std::mt19937(seed)) {}
  Case(const ConvolutionGeometry& g, int skip, std::mt19937 random)
      : g(g), x(source_size(g), skip, random), dy(target_size(g), skip, random), w(kernel_size(g), skip), bias(g.out_channels, skip),
        rounded_w(kernel_size(g)) {
    for (Buffer<float>* buffer : {&w, &bias})
      for (int64_t i = 0; i < buffer->size; ++i) buffer->data[i] = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0f;
    for (int64_t i = 0; i < w.size; ++i) rounded_w[i] = target::widened({target::narrowed(w.data[i])});
  }
};

struct Results {
  Buffer<Bfloat16> y, activated, dx;
  Buffer<float> dw, dbias, dw_alone;
  Results(const Case& c, int skip, Pool& pool)
      : y(c.dy.halves.size, skip), activated(c.dy.halves.size, skip), dx(c.x.halves.size, skip), dw(c.w.size, skip),
        dbias(c.bias.size, skip), dw_alone(c.w.size, skip) {
    PoolWorkers workers(pool);
    target::convolution_forward(c.g, c.x.halves.data, c.w.data, nullptr, false, y.data, workers);
    target::convolution_forward(c.g, c.x.halves.data, c.w.data, c.bias.data, true, activated.data, workers);
    target::convolution_input_gradient(c.g, c.dy.halves.data, c.w.data, dx.data, workers);
    target::convolution_kernel_gradient(c.g, c.x.halves.data, c.dy.halves.data, dw.data, dbias.data, workers);
    target::convolution_kernel_gradient(c.g, c.x.halves.data, c.dy.halves.data, dw_alone.data, nullptr, workers);
  }
};

double value_of(Bfloat16 number) { return target::widened(number); }
double value_of(float number) { return number; }

// bfloat16 rounds a result by at most 2⁻⁸ of it; float32 sums err as in the float32 kernels.
double tolerance(Bfloat16, double value) { return std::fabs(value) / 250; }
double tolerance(float, double) { return 0; }

template <typename Item>
bool close(Item got, double value, double magnitude) {
  return std::fabs(value_of(got) - value) <= tolerance(got, value) + 4e-6 * magnitude + 1e-30;
}

Bfloat16 changed(Bfloat16 number, double by) { return {target::narrowed(static_cast<float>(value_of(number) + by))}; }
float changed(float number, double by) { return static_cast<float>(number + by); }

// The largest result also shows that a wrong one would not pass.
template <typename Item>
void check_values(const Buffer<Item>& got, const Exact& exact, const char* what) {
  int64_t largest = 0;
  for (int64_t i = 0; i < got.size; ++i) {
    expect(close(got.data[i], exact.value[i], exact.magnitude[i]), what);
    if (std::fabs(exact.value[i]) > std::fabs(exact.value[largest])) largest = i;
  }
  if (got.size == 0 || exact.value[largest] == 0) return;
  const double value = exact.value[largest], magnitude = exact.magnitude[largest];
  expect(!close(changed(got.data[largest], value / 50 + 1e-4 * magnitude), value, magnitude), "a wrong value passes for right");
  expect(!close(changed(got.data[largest], -2 * value), value, magnitude), "a wrong sign passes for right");
}

void check_geometry(const ConvolutionGeometry& g, int skip, unsigned seed) {
  const Case c(g, skip, seed);
  const Results r(c, skip, one), again(c, skip, three);
  expect(same(r.y, again.y) && same(r.activated, again.activated) && same(r.dx, again.dx) && same(r.dw, again.dw) &&
             same(r.dbias, again.dbias),
         "the same bits for one and three threads");
  expect(same(r.dw, r.dw_alone), "the same kernel gradient without a bias");
  check_values(r.y, exact_forward(g, c.x.floats.data(), c.rounded_w.data(), nullptr, false), "forward");
  check_values(r.activated, exact_forward(g, c.x.floats.data(), c.rounded_w.data(), c.bias.data, true), "forward with bias and relu");
  check_values(r.dx, exact_input_gradient(g, c.dy.floats.data(), c.rounded_w.data()), "input gradient");
  check_values(r.dw, exact_kernel_gradient(g, c.x.floats.data(), c.dy.floats.data()), "kernel gradient");
  check_values(r.dbias, exact_bias_gradient(g, c.dy.floats.data()), "bias gradient");
}

bool fit(ConvolutionGeometry& g, const int64_t after[3]) {
  for (int i = 0; i < 3; ++i) {
    const int64_t room = g.in[i] + g.before[i] + after[i] - (g.kernel[i] - 1) * g.dilation[i] - 1;
    if (room < 0) return false;
    g.out[i] = room / g.stride[i] + 1;
  }
  return true;
}

ConvolutionGeometry plane(int64_t batch, int64_t in, int64_t channels, int64_t filters, int64_t kernel, int64_t stride = 1, int64_t pad = 0,
                          int64_t groups = 1) {
  ConvolutionGeometry g{batch, channels, filters, groups, {1, in, in}, {}, {1, kernel, kernel}, {1, stride, stride}, {1, 1, 1}, {0, pad, pad}};
  const int64_t after[3] = {0, pad, pad};
  if (!fit(g, after)) std::abort();
  return g;
}

void check_shapes() {
  unsigned seed = 1;
  for (int64_t in : {1, 3, 31, 32, 33, 64})
    for (int64_t out : {1, 2, 15, 16, 17, 33, 48}) check_geometry(plane(2, 5, in, out, 3, 1, 1), seed % 4, seed), ++seed;
  check_geometry(plane(3, 28, 1, 32, 3), 0, 101);
  check_geometry(plane(5, 13, 32, 64, 3), 1, 102);
  check_geometry(plane(19, 5, 64, 128, 3), 2, 103);
  check_geometry(plane(2, 4, 200, 230, 3, 1, 1), 3, 104);
  check_geometry(plane(1, 30, 3, 40, 7, 2, 3), 0, 105);
  check_geometry(plane(2, 16, 40, 40, 3, 1, 1, 40), 0, 106);
  check_geometry(plane(3, 9, 6, 12, 3, 2, 1, 6), 1, 107);
  check_geometry(plane(2, 12, 48, 96, 3, 1, 1, 3), 1, 108);
  check_geometry(plane(1, 6, 16, 16, 3, 1, 9), 1, 109);  // whole positions see only padding
  check_geometry(plane(2, 3, 8, 8, 1, 3), 1, 110);       // some input positions are never read
  check_geometry(plane(300, 1, 20, 30, 1), 1, 111);
}

void check_random(int count) {
  std::mt19937 random(20240607);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<unsigned>(high - low + 1)); };
  for (int done = 0; done < count;) {
    const int64_t axes = pick(1, 3), groups = random() % 3 ? 1 : pick(2, 5);
    ConvolutionGeometry g{pick(1, 5), groups * pick(1, 40), groups * pick(1, 40), groups, {}, {}, {}, {}, {}, {}};
    int64_t after[3];
    for (int i = 0; i < 3; ++i) {
      const bool used = i >= 3 - axes;
      g.in[i] = used ? pick(1, axes == 1 ? 60 : axes == 2 ? 12 : 6) : 1;
      g.kernel[i] = used ? pick(1, 4) : 1;
      g.stride[i] = used ? pick(1, 3) : 1;
      g.dilation[i] = used ? pick(1, 3) : 1;
      g.before[i] = used ? pick(0, 3) : 0;
      after[i] = used ? pick(0, 3) : 0;
    }
    if (!fit(g, after)) continue;
    if (double(target_size(g)) * volume(g.kernel) * (g.in_channels / g.groups) > 1e6) continue;
    check_geometry(g, static_cast<int>(pick(0, 3)), static_cast<unsigned>(random()));
    ++done;
  }
}

// A NaN or an infinity in an argument reaches every result that depends on it.
void check_propagation(float strange) {
  const ConvolutionGeometry g = plane(2, 6, 5, 18, 3, 1, 1);
  Case c(g, 1, 9);
  const int64_t at = source_size(g) / 2;
  c.x.halves.data[at].bits = target::narrowed(strange), c.x.floats[at] = strange;
  const Results r(c, 1, three);
  const Exact y = exact_forward(g, c.x.floats.data(), c.rounded_w.data(), nullptr, false);
  for (int64_t i = 0; i < r.y.size; ++i) expect(std::isfinite(y.value[i]) || !std::isfinite(value_of(r.y.data[i])), "a strange input is lost");
  const Exact dw = exact_kernel_gradient(g, c.x.floats.data(), c.dy.floats.data());
  for (int64_t i = 0; i < r.dw.size; ++i) expect(std::isfinite(dw.value[i]) || !std::isfinite(r.dw.data[i]), "a strange input is lost in dw");
}

// Rounding to nearest, ties to even, every kind of number.
void check_rounding() {
  const struct {
    uint32_t from;
    uint16_t to;
  } cases[] = {{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82}, {0xbf817fff, 0xbf81},
               {0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0}, {0x80000000, 0x8000}};
  for (const auto& item : cases) {
    float number, all[target::kWidth];
    std::memcpy(&number, &item.from, sizeof number);
    for (float& lane : all) lane = number;
    Bfloat16 stored[target::kWidth];
    target::store(stored, target::load(all));
    expect(target::narrowed(number) == item.to, "a float32 is rounded");
    for (const Bfloat16& lane : stored) expect(lane.bits == item.to, "a vector is rounded");
  }
}

// Pooling adds in float32 and rounds once: the float32 kernels' results, rounded, to the bit.
template <typename Index>
void check_pooling(const PoolingGeometry& g, int skip, unsigned seed) {
  std::mt19937 random(seed);
  const Pictures x(g.batch * volume(g.in) * g.channels, skip, random), dy(g.batch * volume(g.out) * g.channels, skip, random);
  PoolWorkers workers(three);
  Buffer<Bfloat16> y(dy.halves.size, skip), dx(x.halves.size, skip);
  Buffer<Index> index(dy.halves.size, skip), right_index(dy.halves.size, skip);
  std::vector<float> right_y(dy.halves.size), right_dx(x.halves.size);
  const auto equal = [](const Buffer<Bfloat16>& got, const std::vector<float>& right) {
    for (int64_t i = 0; i < got.size; ++i)
      if (got.data[i].bits != target::narrowed(right[i])) return false;
    return true;
  };
  target::max_pooling_forward(g, x.halves.data, y.data, index.data, workers);
  target::max_pooling_forward(g, x.floats.data(), right_y.data(), right_index.data, workers);
  expect(equal(y, right_y) && same(index, right_index), "max pooling of bfloat16");
  target::max_pooling_gradient(g, dy.halves.data, index.data, dx.data, workers);
  target::max_pooling_gradient(g, dy.floats.data(), index.data, right_dx.data(), workers);
  expect(equal(dx, right_dx), "the gradient of max pooling of bfloat16");
  target::sum_pooling_forward(g, x.halves.data, true, y.data, workers);
  target::sum_pooling_forward(g, x.floats.data(), true, right_y.data(), workers);
  expect(equal(y, right_y), "average pooling of bfloat16");
  y.data[0].bits ^= 1;
  expect(!equal(y, right_y), "a wrong bit passes for right");
  target::sum_pooling_gradient(g, dy.halves.data, true, dx.data, workers);
  target::sum_pooling_gradient(g, dy.floats.data(), true, right_dx.data(), workers);
  expect(equal(dx, right_dx), "the gradient of average pooling of bfloat16");
}

void check_poolings() {
  unsigned seed = 1;
  for (int64_t channels : {1, 3, 16, 17, 40}) {
    check_pooling<uint8_t>({2, channels, {1, 9, 8}, {1, 4, 4}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}}, seed % 4, seed), ++seed;
    check_pooling<int32_t>({2, channels, {1, 9, 8}, {1, 9, 4}, {1, 3, 3}, {1, 1, 2}, {0, 1, 1}}, seed % 4, seed), ++seed;
  }
}

PoolingGeometry tiled(const ConvolutionGeometry& g, const int64_t (&size)[3]) {
  PoolingGeometry pooling{g.batch, g.out_channels, {}, {}, {}, {}, {}};
  for (int i = 0; i < 3; ++i) {
    pooling.in[i] = g.out[i];
    pooling.size[i] = pooling.stride[i] = size[i];
    pooling.out[i] = g.out[i] / size[i];
  }
  return pooling;
}

struct BlockResults {
  Buffer<Bfloat16> y, dx;
  Buffer<uint8_t> winner;
  Buffer<float> dw, dbias, dw_alone, dbias_alone;
  BlockResults(const Case& c, const PoolingGeometry& pooling, const Pictures& dy, bool relu, int skip, Pool& pool)
      : y(dy.halves.size, skip), dx(c.x.halves.size, skip), winner(dy.halves.size, skip), dw(c.w.size, skip), dbias(c.bias.size, skip),
        dw_alone(c.w.size, skip), dbias_alone(c.bias.size, skip) {
    PoolWorkers workers(pool);
    uint8_t* winners = volume(pooling.size) > 1 ? winner.data : nullptr;
    std::memset(winner.data, 0, static_cast<size_t>(winner.size));
    target::block_forward(c.g, pooling, c.x.halves.data, c.rounded_w.data(), c.bias.data, relu, y.data, winners, workers);
    const auto gradient = [&](Bfloat16* dx, float* dw, float* dbias) {
      target::block_gradient(c.g, pooling, c.x.halves.data, c.rounded_w.data(), winners, y.data, dy.halves.data, relu, dx, dw, dbias, workers);
    };
    gradient(dx.data, dw.data, dbias.data);
    gradient(nullptr, dw_alone.data, dbias_alone.data);
  }
};

// The place of a window's cell in the convolution's positions.
int64_t place_of(const PoolingGeometry& p, int64_t value, int64_t cell) {
  const int64_t channel = value % p.channels, window = value / p.channels, n = window / volume(p.out);
  const int64_t o2 = window % p.out[2] * p.size[2] + cell % p.size[2];
  const int64_t o1 = window / p.out[2] % p.out[1] * p.size[1] + cell / p.size[2] % p.size[1];
  const int64_t o0 = window / (p.out[2] * p.out[1]) % p.out[0] * p.size[0] + cell / (p.size[2] * p.size[1]);
  return (((n * p.in[0] + o0) * p.in[1] + o1) * p.in[2] + o2) * p.channels + channel;
}

void check_block(const ConvolutionGeometry& g, const int64_t (&size)[3], bool relu, int skip, unsigned seed) {
  const PoolingGeometry pooling = tiled(g, size);
  const Case c(g, skip, seed);
  std::mt19937 random(seed + 1);
  const Pictures dy(pooling.batch * volume(pooling.out) * pooling.channels, skip, random);
  const BlockResults r(c, pooling, dy, relu, skip, one), again(c, pooling, dy, relu, skip, three);
  expect(same(r.y, again.y) && same(r.winner, again.winner) && same(r.dx, again.dx) && same(r.dw, again.dw) && same(r.dbias, again.dbias),
         "the same bits of a block for one and three threads");
  const Exact sums = exact_forward(g, c.x.floats.data(), c.rounded_w.data(), c.bias.data, false);
  Exact y(r.y.size);
  std::vector<float> spread(static_cast<size_t>(target_size(g)), 0.0f);
  for (int64_t i = 0; i < r.y.size; ++i) {
    double largest = -std::numeric_limits<double>::infinity();
    for (int64_t cell = 0; cell < volume(pooling.size); ++cell) {
      const int64_t at = place_of(pooling, i, cell);
      largest = std::fmax(largest, sums.value[at]);
      y.magnitude[i] = std::fmax(y.magnitude[i], sums.magnitude[at]);
    }
    y.value[i] = relu ? std::fmax(largest, 0.0) : largest;
    const int64_t winner = place_of(pooling, i, r.winner.data[i]);
    expect(sums.value[winner] >= largest - 4e-6 * y.magnitude[i], "the winner of a window is its largest cell");
    if (!relu || value_of(r.y.data[i]) > 0) spread[winner] = dy.floats[i];
  }
  check_values(r.y, y, "a block's value");
  check_values(r.dx, exact_input_gradient(g, spread.data(), c.rounded_w.data()), "a block's gradient by the input");
  const Exact dw = exact_kernel_gradient(g, c.x.floats.data(), spread.data()), dbias = exact_bias_gradient(g, spread.data());
  check_values(r.dw, dw, "a block's gradient by the kernel");
  check_values(r.dw_alone, dw, "a block's gradient by the kernel alone");
  check_values(r.dbias, dbias, "a block's gradient by the bias");
  check_values(r.dbias_alone, dbias, "a block's gradient by the bias, without the input's");
}

void check_blocks() {
  for (bool relu : {true, false}) {
    check_block(plane(9, 28, 1, 32, 3), {1, 2, 2}, relu, 0, 1);
    check_block(plane(9, 13, 32, 64, 3), {1, 2, 2}, relu, 1, 2);
    check_block(plane(9, 5, 64, 40, 3), {1, 1, 1}, relu, 2, 3);
    check_block(plane(3, 10, 16, 20, 3, 1, 1), {1, 2, 2}, relu, 3, 4);
    check_block(plane(2, 34, 24, 70, 3, 1, 1), {1, 2, 3}, relu, 0, 5);
    check_block(plane(1, 40, 16, 16, 5, 1, 2), {1, 3, 3}, relu, 1, 6);
    check_block(plane(4, 9, 32, 48, 3, 1, 1, 2), {1, 2, 2}, relu, 3, 8);
    check_block(plane(4, 9, 12, 12, 3, 1, 1, 12), {1, 2, 2}, relu, 0, 9);
    check_block(plane(5, 12, 17, 5, 3, 2, 1), {1, 3, 2}, relu, 1, 10);
    for (int64_t batch : {2, 5, 8, 13}) check_block(plane(batch, 18, 6, 12, 3), {1, 2, 2}, relu, 1, 11);
    check_block({2, 16, 9, 1, {7, 6, 8}, {7, 6, 8}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, {2, 3, 2}, relu, 1, 14);
    check_block({2, 8, 20, 1, {1, 1, 300}, {1, 1, 296}, {1, 1, 5}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, {1, 1, 4}, relu, 1, 13);
  }
}

}  // namespace

int main(int count, char** arguments) {
#ifdef __AMX_BF16__
  if (!may_use_tiles()) {
    std::printf("this processor or this kernel gives no tiles\n");
    return 0;
  }
#endif
  check_rounding();
  check_shapes();
  check_random(count > 1 ? std::atoi(arguments[1]) : 100);
  check_propagation(std::numeric_limits<float>::quiet_NaN());
  check_propagation(std::numeric_limits<float>::infinity());
  check_poolings();
  check_blocks();
  return verdict();
}
