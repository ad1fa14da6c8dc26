// Compares the block and its gradients with double-precision loops, and its values with those of its parts. Compiled once per
// instruction set.
#include "../block_gradient.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "../pool_workers.h"
#include "convolution_oracle.h"
#include "expect.h"
#include "thread_pool.h"

namespace {

using namespace convista;
namespace target = convista::CONVISTA_TARGET;

ThreadPool one(1), two(2), three(3);

struct Case {
  ConvolutionGeometry convolution;  // with all its positions
  PoolingGeometry pooling;
  bool relu;
};

std::string words(const Case& c) {
  const ConvolutionGeometry& g = c.convolution;
  std::string text = " of batch " + std::to_string(g.batch) + ", channels " + std::to_string(g.in_channels) + "→" +
                     std::to_string(g.out_channels) + ", groups " + std::to_string(g.groups) + (c.relu ? ", relu" : "");
  const auto triple = [&](const char* name, const int64_t v[3]) {
    text += std::string(", ") + name + " " + std::to_string(v[0]) + "," + std::to_string(v[1]) + "," + std::to_string(v[2]);
  };
  triple("in", g.in);
  triple("out", g.out);
  triple("kernel", g.kernel);
  triple("stride", g.stride);
  triple("dilation", g.dilation);
  triple("before", g.before);
  triple("window", c.pooling.size);
  return text;
}

// Windows of `size` that tile the convolution's positions.
Case tiled(const ConvolutionGeometry& g, const int64_t (&size)[3], bool relu) {
  Case c{g, {g.batch, g.out_channels, {}, {}, {}, {}, {}}, relu};
  for (int i = 0; i < 3; ++i) {
    c.pooling.in[i] = g.out[i];
    c.pooling.size[i] = c.pooling.stride[i] = size[i];
    c.pooling.out[i] = g.out[i] / size[i];
  }
  return c;
}

int64_t pooled_size(const Case& c) { return c.pooling.batch * volume(c.pooling.out) * c.pooling.channels; }

// Misaligned, and as long as needed, so that the address sanitizer sees a step too far; NaN until written.
template <typename Item>
struct Buffer {
  Buffer(int64_t size, int skip) : memory(size + skip, static_cast<Item>(std::nanf(""))), data(memory.data() + skip), size(size) {}
  std::vector<Item> memory;
  Item* data;
  int64_t size;
};

template <typename Item>
bool same(const Buffer<Item>& a, const Buffer<Item>& b) {
  return std::memcmp(a.data, b.data, a.size * sizeof(Item)) == 0;
}

// A sum of n float32 products errs by at most about n·2⁻²⁴ of its magnitude, in practice by √n; NaN is never close.
bool close(const float* got, const Exact& exact) {
  for (size_t i = 0; i < exact.value.size(); ++i)
    if (!(std::fabs(got[i] - exact.value[i]) <= 4e-6 * exact.magnitude[i] + 1e-30)) return false;
  return true;
}

struct Arguments {
  Buffer<float> x, w, bias, dy;
  Arguments(const Case& c, int skip, unsigned seed)
      : x(source_size(c.convolution), skip), w(kernel_size(c.convolution), skip), bias(c.convolution.out_channels, skip), dy(pooled_size(c), skip) {
    std::mt19937 random(seed);
    for (Buffer<float>* buffer : {&x, &w, &bias, &dy})
      for (int64_t i = 0; i < buffer->size; ++i) buffer->data[i] = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0f;
  }
};

struct Results {
  Buffer<float> y, dx, dw, dbias;
  Buffer<uint8_t> winner;
  bool pooled;
  Results(const Case& c, Arguments& a, int skip, Pool& pool)
      : y(pooled_size(c), skip), dx(a.x.size, skip), dw(a.w.size, skip), dbias(a.bias.size, skip), winner(pooled_size(c), skip),
        pooled(volume(c.pooling.size) > 1) {
    PoolWorkers workers(pool);
    target::block_forward(c.convolution, c.pooling, a.x.data, a.w.data, a.bias.data, c.relu, y.data, pooled ? winner.data : nullptr, workers);
    gradient(c, a, dx.data, dw.data, dbias.data, pool);
  }
  void gradient(const Case& c, Arguments& a, float* dx, float* dw, float* dbias, Pool& pool) {
    PoolWorkers workers(pool);
    target::block_gradient(c.convolution, c.pooling, a.x.data, a.w.data, pooled ? winner.data : nullptr, y.data, a.dy.data, c.relu, dx, dw, dbias,
                           workers);
  }
};

// The parts, one after the other: with pooling the block adds bias in the same place, so the bits are the same.
void check_parts(const Case& c, Arguments& a, Results& r) {
  if (!r.pooled) return;
  PoolWorkers workers(one);
  Buffer<float> sums(target_size(c.convolution), 0), y(r.y.size, 0);
  Buffer<uint8_t> winner(r.y.size, 0);
  target::convolution_forward(c.convolution, a.x.data, a.w.data, nullptr, false, sums.data, workers);
  target::max_pooling_forward(c.pooling, sums.data, y.data, winner.data, workers);
  for (int64_t i = 0; i < y.size; ++i) {
    const float sum = y.data[i] + a.bias.data[i % c.pooling.channels];
    y.data[i] = c.relu && sum < 0 ? 0 : sum;
  }
  // With few target channels the parts add in another order than the block, and a winner may be another of two that nearly tie.
  const bool other_order = target::is_narrow(target::forward_gather(c.convolution));
  expect(other_order || same(winner, r.winner), "the winners" + words(c));
  for (int64_t i = 0; i < y.size; ++i) {
    const float slack = other_order ? 1e-4f * (1.0f + std::abs(y.data[i])) : 0.0f;
    const bool equal = std::isnan(y.data[i]) ? std::isnan(r.y.data[i]) : y.data[i] == r.y.data[i] || std::abs(y.data[i] - r.y.data[i]) <= slack;
    if (!equal) return expect(false, "a value" + words(c));
  }
  expect(true, "");
}

// dy where each window's winner stands, as the loops need it.
Buffer<float> spread(const Case& c, Arguments& a, Results& r) {
  const PoolingGeometry& p = c.pooling;
  Buffer<float> result(target_size(c.convolution), 0);
  std::fill(result.memory.begin(), result.memory.end(), 0.0f);
  for (int64_t i = 0; i < r.y.size; ++i) {
    const int64_t channel = i % p.channels, window = i / p.channels, cell = r.pooled ? r.winner.data[i] : 0;
    const int64_t o2 = window % p.out[2] * p.size[2] + cell % p.size[2];
    const int64_t o1 = window / p.out[2] % p.out[1] * p.size[1] + cell / p.size[2] % p.size[1];
    const int64_t o0 = window / (p.out[2] * p.out[1]) % p.out[0] * p.size[0] + cell / (p.size[2] * p.size[1]);
    const int64_t n = window / volume(p.out);
    if (c.relu && !(r.y.data[i] > 0)) continue;
    result.data[(((n * p.in[0] + o0) * p.in[1] + o1) * p.in[2] + o2) * p.channels + channel] = a.dy.data[i];
  }
  return result;
}

void check_rejects(Buffer<float>& got, const Exact& exact, const std::string& what) {
  for (int64_t i = 0; i < got.size; ++i) {
    if (exact.magnitude[i] < 1e-3 || std::fabs(exact.value[i]) < 1e-4 * exact.magnitude[i]) continue;
    const float right = got.data[i];
    for (float wrong : {static_cast<float>(right + 1e-4 * exact.magnitude[i]), -right, std::nanf("")}) {
      got.data[i] = wrong;
      expect(!close(got.data, exact), what + " accepts a wrong value");
    }
    got.data[i] = right;
    return;
  }
}

void check_gradients(const Case& c, Arguments& a, Results& r) {
  const ConvolutionGeometry& g = c.convolution;
  Buffer<float> dy = spread(c, a, r);
  const Exact dx = exact_input_gradient(g, dy.data, a.w.data), dw = exact_kernel_gradient(g, a.x.data, dy.data),
              dbias = exact_bias_gradient(g, dy.data);
  expect(close(r.dx.data, dx), "the gradient by the input" + words(c));
  expect(close(r.dw.data, dw), "the gradient by the kernel" + words(c));
  expect(close(r.dbias.data, dbias), "the gradient by the bias" + words(c));
  check_rejects(r.dx, dx, "the gradient by the input");
  check_rejects(r.dw, dw, "the gradient by the kernel");
  check_rejects(r.dbias, dbias, "the gradient by the bias");
}

void check_case(const Case& c, int skip, unsigned seed) {
  Arguments a(c, skip, seed);
  Results r(c, a, skip, one);
  check_parts(c, a, r);
  if (!r.pooled) {
    const Exact y = exact_forward(c.convolution, a.x.data, a.w.data, a.bias.data, c.relu);
    expect(close(r.y.data, y), "a value" + words(c));
    check_rejects(r.y, y, "a value");
  }
  check_gradients(c, a, r);
  for (Pool* pool : {static_cast<Pool*>(&two), static_cast<Pool*>(&three)}) {
    const Results other(c, a, skip, *pool);
    expect(same(r.y, other.y) && same(r.dx, other.dx) && same(r.dw, other.dw) && same(r.dbias, other.dbias), "bits with more threads" + words(c));
    expect(!r.pooled || same(r.winner, other.winner), "winners with more threads" + words(c));
  }
  Buffer<float> dx(a.x.size, skip), dw(a.w.size, skip), dbias(a.bias.size, skip);
  r.gradient(c, a, dx.data, nullptr, nullptr, two);
  r.gradient(c, a, nullptr, dw.data, nullptr, two);
  r.gradient(c, a, nullptr, nullptr, dbias.data, two);
  expect(same(dx, r.dx), "the input's gradient alone" + words(c));
  expect(close(dw.data, exact_kernel_gradient(c.convolution, a.x.data, spread(c, a, r).data)), "the kernel's gradient alone" + words(c));
  expect(close(dbias.data, exact_bias_gradient(c.convolution, spread(c, a, r).data)), "the bias's gradient alone" + words(c));
}

ConvolutionGeometry plane(int64_t batch, int64_t in, int64_t channels, int64_t filters, int64_t kernel, int64_t pad = 0, int64_t stride = 1,
                          int64_t dilation = 1, int64_t groups = 1) {
  const int64_t out = (in + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
  return {batch, channels, filters, groups, {1, in, in}, {1, out, out}, {1, kernel, kernel}, {1, stride, stride}, {1, dilation, dilation}, {0, pad, pad}};
}

void check_shapes() {
  for (bool relu : {true, false}) {
    check_case(tiled(plane(9, 28, 1, 32, 3), {1, 2, 2}, relu), 0, 1);
    check_case(tiled(plane(9, 13, 32, 64, 3), {1, 2, 2}, relu), 1, 2);
    check_case(tiled(plane(17, 5, 64, 128, 3), {1, 1, 1}, relu), 2, 3);
    check_case(tiled(plane(3, 10, 16, 20, 3, 1), {1, 2, 2}, relu), 3, 4);
    check_case(tiled(plane(2, 34, 24, 70, 3, 1), {1, 2, 3}, relu), 0, 5);
    check_case(tiled(plane(1, 40, 16, 16, 5, 2), {1, 3, 3}, relu), 1, 6);
    check_case(tiled(plane(4, 11, 20, 33, 3, 1, 1, 2), {1, 2, 2}, relu), 2, 7);
    check_case(tiled(plane(4, 9, 32, 48, 3, 1, 1, 1, 2), {1, 2, 2}, relu), 3, 8);
    check_case(tiled(plane(4, 9, 12, 12, 3, 1, 1, 1, 12), {1, 2, 2}, relu), 0, 9);
    check_case(tiled(plane(5, 12, 17, 5, 3, 1, 2), {1, 3, 2}, relu), 1, 10);
    check_case(tiled(plane(3, 6, 200, 230, 1), {1, 2, 2}, relu), 1, 11);
    check_case(tiled(plane(300, 3, 30, 20, 2), {1, 2, 2}, relu), 1, 12);
    check_case(tiled({2, 8, 20, 1, {1, 1, 300}, {1, 1, 296}, {1, 1, 5}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, {1, 1, 4}, relu), 1, 13);
    check_case(tiled({2, 16, 9, 1, {7, 6, 8}, {7, 6, 8}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}}, {2, 3, 2}, relu), 1, 14);
    check_case(tiled(plane(1, 34, 16, 3, 3, 1), {1, 16, 16}, relu), 1, 15);
    // Batches between one picture a task and many.
    for (int64_t batch : {2, 3, 5, 6, 7, 8, 9, 12, 13}) check_case(tiled(plane(batch, 18, 6, 12, 3), {1, 2, 2}, relu), 1, 16);
    check_case(tiled({8, 17, 5, 1, {5, 9, 9}, {5, 9, 9}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, {1, 3, 3}, relu), 1, 17);
  }
}

void check_random(int wanted) {
  std::mt19937 random(20240608);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<unsigned>(high - low + 1)); };
  const int64_t channels[] = {1, 2, 3, 5, 8, 16, 17, 31, 32, 33, 64, 100};
  for (int done = 0; done < wanted;) {
    const int64_t axes = pick(1, 3), groups = random() % 4 ? 1 : pick(2, 5);
    ConvolutionGeometry g{pick(1, 9), channels[pick(0, 11)], channels[pick(0, 11)], 1, {}, {}, {}, {}, {}, {}};
    if (groups > 1) g.groups = groups, g.in_channels = groups * pick(1, 19), g.out_channels = groups * pick(1, 21);
    int64_t size[3];
    bool fits = true;
    for (int i = 0; i < 3; ++i) {
      const bool used = i >= 3 - axes;
      g.in[i] = used ? pick(1, axes == 1 ? 60 : axes == 2 ? 12 : 6) : 1;
      g.kernel[i] = used ? pick(1, 4) : 1;
      g.stride[i] = used ? pick(1, 2) : 1;
      g.dilation[i] = used ? pick(1, 2) : 1;
      g.before[i] = used ? pick(0, 3) : 0;
      size[i] = used ? pick(1, 3) : 1;
      const int64_t room = g.in[i] + g.before[i] + (used ? pick(0, 3) : 0) - (g.kernel[i] - 1) * g.dilation[i] - 1;
      fits = fits && room >= 0;
      g.out[i] = fits ? room / g.stride[i] + 1 : 0;
      fits = fits && g.out[i] >= size[i];
    }
    if (!fits || double(target_size(g)) * volume(g.kernel) * (g.in_channels / g.groups) > 2e6) continue;
    check_case(tiled(g, size, random() % 2), static_cast<int>(pick(0, 3)), static_cast<unsigned>(random()));
    ++done;
  }
}

// Numbers that are not finite come out where the parts bring them.
void check_strange(const ConvolutionGeometry& g, float strange) {
  const Case c = tiled(g, {1, 2, 2}, true);
  for (int argument = 0; argument < 3; ++argument) {
    Arguments a(c, 1, 7);
    const Buffer<float>* buffers[] = {&a.x, &a.w, &a.dy};
    buffers[argument]->data[buffers[argument]->size / 2] = strange;
    Results r(c, a, 1, two);
    check_parts(c, a, r);
    Buffer<float> dy = spread(c, a, r);
    const auto agree = [&](Buffer<float>& got, const Exact& exact, const char* what) {
      for (int64_t i = 0; i < got.size; ++i)
        if (std::isfinite(got.data[i]) != std::isfinite(exact.value[i])) return expect(false, what + words(c));
      expect(true, what);
    };
    agree(r.dx, exact_input_gradient(g, dy.data, a.w.data), "a strange number in the gradient by the input");
    agree(r.dw, exact_kernel_gradient(g, a.x.data, dy.data), "a strange number in the gradient by the kernel");
    agree(r.dbias, exact_bias_gradient(g, dy.data), "a strange number in the gradient by the bias");
  }
}

}  // namespace

int main(int count, char** arguments) {
  check_shapes();
  check_random(count > 1 ? std::atoi(arguments[1]) : 200);
  for (float strange : {std::nanf(""), std::numeric_limits<float>::infinity()})
    for (int64_t channels : {1, 20}) check_strange(plane(3, 10, channels, 18, 3, 1), strange);
  return verdict();
}
