// Compares pooling with double-precision loops. Compiled once per instruction set.
#include "../pooling.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../pool_workers.h"
#include "expect.h"
#include "thread_pool.h"

namespace {

using namespace convista;
namespace target = convista::CONVISTA_TARGET;

ThreadPool one(1), three(3);

// body(output offset, input offset or −1 in the padding, cell) for every cell of every window, the slow obvious way.
template <typename Body>
void every_cell(const PoolingGeometry& g, const Body& body) {
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t p0 = 0; p0 < g.out[0]; ++p0)
      for (int64_t p1 = 0; p1 < g.out[1]; ++p1)
        for (int64_t p2 = 0; p2 < g.out[2]; ++p2)
          for (int64_t c = 0; c < g.channels; ++c) {
            int64_t cell = 0;
            for (int64_t k0 = 0; k0 < g.size[0]; ++k0)
              for (int64_t k1 = 0; k1 < g.size[1]; ++k1)
                for (int64_t k2 = 0; k2 < g.size[2]; ++k2, ++cell) {
                  const int64_t i[] = {p0 * g.stride[0] + k0 - g.before[0], p1 * g.stride[1] + k1 - g.before[1],
                                       p2 * g.stride[2] + k2 - g.before[2]};
                  bool inside = true;
                  for (int a = 0; a < 3; ++a) inside = inside && i[a] >= 0 && i[a] < g.in[a];
                  const int64_t out = (((n * g.out[0] + p0) * g.out[1] + p1) * g.out[2] + p2) * g.channels + c;
                  const int64_t in = (((n * g.in[0] + i[0]) * g.in[1] + i[1]) * g.in[2] + i[2]) * g.channels + c;
                  body(out, inside ? in : -1, cell);
                }
          }
}

int64_t volume(const int64_t (&v)[3]) { return v[0] * v[1] * v[2]; }

// Misaligned, and as long as needed, so that the address sanitizer sees a step too far.
template <typename Item>
struct Buffer {
  Buffer(int64_t size, int skip) : memory(size + skip), data(memory.data() + skip), size(size) {}
  std::vector<Item> memory;
  Item* data;
  int64_t size;
};

template <typename Item>
bool same(const Buffer<Item>& a, const Buffer<Item>& b) {
  return std::memcmp(a.data, b.data, a.size * sizeof(Item)) == 0;
}

bool close(double got, double exact, double scale) {
  if (std::isnan(exact) || std::isinf(exact)) return std::isnan(exact) ? std::isnan(got) : got == exact;
  return std::fabs(got - exact) <= 1e-6 * (scale + 1);
}

struct Numbers {
  Buffer<float> x, dy;
  Numbers(const PoolingGeometry& g, int skip, unsigned seed, bool strange)
      : x(g.batch * volume(g.in) * g.channels, skip), dy(g.batch * volume(g.out) * g.channels, skip) {
    std::mt19937 random(seed);
    // Few different values, so that ties are common.
    for (int64_t i = 0; i < x.size; ++i) x.data[i] = static_cast<float>(static_cast<int>(random() % 9) - 4);
    for (int64_t i = 0; i < dy.size; ++i) dy.data[i] = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
    if (!strange) return;
    const float infinity = std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < x.size; ++i) {
      if (random() % 5 == 0) x.data[i] = random() % 2 ? std::nanf("") : random() % 2 ? infinity : -infinity;
    }
  }
};

template <typename Index>
void check_max(const PoolingGeometry& g, const Numbers& in, int skip) {
  Buffer<float> y(in.dy.size, skip), y1(in.dy.size, skip), dx(in.x.size, skip), dx1(in.x.size, skip), alone(in.dy.size, skip);
  Buffer<Index> index(in.dy.size, skip), index1(in.dy.size, skip);
  const auto run = [&](Pool& pool, Buffer<float>& y, Buffer<Index>& index, Buffer<float>& dx) {
    PoolWorkers workers(pool);
    target::max_pooling_forward(g, in.x.data, y.data, index.data, workers);
    target::max_pooling_gradient(g, in.dy.data, index.data, dx.data, workers);
  };
  run(three, y, index, dx);
  run(one, y1, index1, dx1);
  expect(same(y, y1) && same(index, index1) && same(dx, dx1), "max pooling is the same for one and three threads");
  PoolWorkers workers(three);
  target::max_pooling_forward(g, in.x.data, alone.data, static_cast<Index*>(nullptr), workers);
  expect(same(y, alone), "max pooling is the same without winners");

  std::vector<double> best(y.size, -std::numeric_limits<double>::infinity()), exact(dx.size, 0.0);
  std::vector<int64_t> winner(y.size, -1), cell_of(y.size, 0);
  every_cell(g, [&](int64_t out, int64_t at, int64_t cell) {
    if (at < 0) return;
    const double value = in.x.data[at];
    if (winner[out] >= 0 && !(value > best[out]) && !(std::isnan(value) && !std::isnan(best[out]))) return;
    best[out] = value, winner[out] = at, cell_of[out] = cell;
  });
  for (int64_t out = 0; out < y.size; ++out) {
    if (winner[out] >= 0) exact[winner[out]] += in.dy.data[out];
    expect(close(y.data[out], best[out], 0), "the largest of a window");
    expect(static_cast<int64_t>(index.data[out]) == cell_of[out], "the first of the largest");
  }
  for (int64_t i = 0; i < dx.size; ++i) expect(close(dx.data[i], exact[i], 9), "the gradient of max pooling");
}

void check_sum(const PoolingGeometry& g, const Numbers& in, int skip, bool mean) {
  Buffer<float> y(in.dy.size, skip), y1(in.dy.size, skip), dx(in.x.size, skip), dx1(in.x.size, skip);
  const auto run = [&](Pool& pool, Buffer<float>& y, Buffer<float>& dx) {
    PoolWorkers workers(pool);
    target::sum_pooling_forward(g, in.x.data, mean, y.data, workers);
    target::sum_pooling_gradient(g, in.dy.data, mean, dx.data, workers);
  };
  run(three, y, dx);
  run(one, y1, dx1);
  expect(same(y, y1) && same(dx, dx1), "sum pooling is the same for one and three threads");
  std::vector<double> total(y.size, 0.0), inside(y.size, 0.0), exact(dx.size, 0.0);
  every_cell(g, [&](int64_t out, int64_t at, int64_t) {
    if (at >= 0) total[out] += in.x.data[at], ++inside[out];
  });
  every_cell(g, [&](int64_t out, int64_t at, int64_t) {
    if (at >= 0) exact[at] += in.dy.data[out] / (mean ? inside[out] : 1.0);
  });
  const double cells = static_cast<double>(volume(g.size));
  for (int64_t i = 0; i < y.size; ++i) expect(close(y.data[i], total[i] / (mean ? inside[i] : 1.0), 4 * cells), "the sum of a window");
  for (int64_t i = 0; i < dx.size; ++i) expect(close(dx.data[i], exact[i], cells), "the gradient of sum pooling");
}

void check_geometry(const PoolingGeometry& g, int skip, unsigned seed) {
  const Numbers plain(g, skip, seed, false), strange(g, skip, seed, true);
  for (const Numbers* in : {&plain, &strange}) {
    check_max<int32_t>(g, *in, skip);
    if (volume(g.size) <= 256) check_max<uint8_t>(g, *in, skip);
  }
  check_sum(g, plain, skip, false);
  check_sum(g, plain, skip, true);
}

void check_random(int wanted) {
  std::mt19937 random(3);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % (high - low + 1)); };
  const int64_t channels[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50};
  for (int done = 0; done < wanted;) {
    PoolingGeometry g{};
    g.batch = pick(1, 4);
    g.channels = channels[random() % std::size(channels)];
    const int axes = static_cast<int>(pick(1, 3));
    bool fits = true;
    for (int a = 0; a < 3; ++a) {
      const bool used = a >= 3 - axes;
      g.in[a] = used ? pick(1, axes == 1 ? 300 : 9) : 1;
      g.size[a] = used ? pick(1, axes == 1 ? 290 : 4) : 1;
      g.stride[a] = used ? pick(1, 4) : 1;
      g.before[a] = used ? pick(0, g.size[a]) : 0;
      const int64_t after = used ? pick(0, g.size[a]) : 0;
      fits = fits && g.in[a] + g.before[a] + after >= g.size[a];
      g.out[a] = fits ? (g.in[a] + g.before[a] + after - g.size[a]) / g.stride[a] + 1 : 0;
    }
    if (!fits || g.batch * g.channels * volume(g.out) * volume(g.size) > 100000) continue;
    check_geometry(g, static_cast<int>(pick(0, 3)), static_cast<unsigned>(random()));
    ++done;
  }
}

// The test must be able to fail.
void check_the_check() { expect(!close(1.0, 1.0001, 1) && !close(0.0, std::nan(""), 1), "a wrong number is seen"); }

}  // namespace

int main(int count, char** arguments) {
  check_the_check();
  PoolingGeometry lecture{8, 32, {1, 26, 26}, {1, 13, 13}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}};
  check_geometry(lecture, 0, 1);
  check_geometry({3, 19, {5, 7, 9}, {2, 2, 3}, {2, 3, 3}, {2, 3, 3}, {0, 0, 0}}, 1, 2);
  check_geometry({2, 3, {1, 9, 8}, {1, 3, 2}, {1, 3, 3}, {1, 3, 3}, {0, 0, 0}}, 2, 3);
  check_random(count > 1 ? std::atoi(arguments[1]) : 200);
  return verdict();
}
