// Compares convolutions in three bfloat16 parts with double-precision loops, to the precision of float32. Compiled once per instruction
// set; only those with tiles use these kernels.
#include "../split_convolution.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../pool_workers.h"
#include "../tile_permission.h"
#include "buffer.h"
#include "convolution_oracle.h"
#include "expect.h"
#include "thread_pool.h"

namespace {

using namespace convista;
namespace target = convista::CONVISTA_TARGET;

ThreadPool one(1), three(3);

struct Case {
  ConvolutionGeometry g;
  Buffer<float> x, dy, w, bias;
  Case(const ConvolutionGeometry& g, int skip, unsigned seed)
      : g(g), x(source_size(g), skip), dy(target_size(g), skip), w(kernel_size(g), skip), bias(g.out_channels, skip) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> number(-1, 1);
    for (Buffer<float>* buffer : {&x, &dy, &w, &bias})
      for (int64_t i = 0; i < buffer->size; ++i) buffer->data[i] = number(random);
  }
};

using target::Way;

// Each convolution by the way that is tested, whether it would be chosen or not.
struct Convolver {
  Way way;
  Workers& workers;

  bool forward(const Case& c, const float* bias, bool relu, float* y) const {
    if (way == Way::lines) return target::line_forward(c.g, {c.x.data, bias, relu, y}, c.w.data, workers);
    return target::split_forward(c.g, target::kNoWindow, {c.x.data, bias, relu, y, nullptr}, c.w.data, workers);
  }
  bool input_gradient(const Case& c, float* dx) const {
    if (way == Way::lines) return target::line_input_gradient(c.g, c.dy.data, c.w.data, dx, workers);
    return target::split_input_gradient(c.g, c.dy.data, c.w.data, dx, workers);
  }
  // Of one tap, with lines.
  bool kernel_gradient(const Case& c, float* dw, float* dbias) const {
    if (way == Way::lines && volume(c.g.kernel) == 1) return target::pointwise_kernel_gradient(c.g, c.x.data, c.dy.data, dw, dbias, workers);
    return target::split_kernel_gradient(c.g, c.x.data, c.dy.data, dw, dbias, workers);
  }
};

struct Results {
  Buffer<float> y, activated, dx, dw, dbias, dw_alone;
  bool right = true;
  Results(const Case& c, int skip, Pool& pool, Way way)
      : y(c.dy.size, skip), activated(c.dy.size, skip), dx(c.x.size, skip), dw(c.w.size, skip), dbias(c.bias.size, skip), dw_alone(c.w.size, skip) {
    PoolWorkers workers(pool);
    const Convolver convolver{way, workers};
    const auto done = [&](bool split) { right = right && split; };
    done(convolver.forward(c, nullptr, false, y.data));
    done(convolver.forward(c, c.bias.data, true, activated.data));
    done(convolver.input_gradient(c, dx.data));
    done(convolver.kernel_gradient(c, dw.data, dbias.data));
    done(convolver.kernel_gradient(c, dw_alone.data, nullptr));
  }
};

// The bound that the float32 kernels are held to. Without the three smallest products results would err by up to 2⁻¹⁶ of the magnitude.
bool close(double got, double value, double magnitude) { return std::fabs(got - value) <= 1e-6 * magnitude + 1e-30; }

// The result of the largest magnitude also shows that wrong ones would not pass: one product with one part too few among them.
void check_values(const Buffer<float>& got, const Exact& exact, const char* what) {
  int64_t largest = 0;
  for (int64_t i = 0; i < got.size; ++i) {
    expect(close(got.data[i], exact.value[i], exact.magnitude[i]), what);
    if (exact.magnitude[i] > exact.magnitude[largest]) largest = i;
  }
  if (got.size == 0 || exact.magnitude[largest] == 0) return;
  const double value = exact.value[largest], magnitude = exact.magnitude[largest];
  expect(!close(got.data[largest] + magnitude / 65536, value, magnitude), "sixteen bits pass for twenty-four");
  expect(!close(got.data[largest] - magnitude / 65536, value, magnitude), "sixteen bits pass for twenty-four");
}

void check_way(const Case& c, int skip, Way way) {
  const ConvolutionGeometry& g = c.g;
  const Results r(c, skip, one, way), again(c, skip, three, way);
  expect(r.right && again.right, "finite numbers are split");
  expect(same(r.y, again.y) && same(r.activated, again.activated) && same(r.dx, again.dx) && same(r.dw, again.dw) && same(r.dbias, again.dbias),
         "the same bits for one and three threads");
  expect(same(r.dw, r.dw_alone), "the same kernel gradient without a bias");
  check_values(r.y, exact_forward(g, c.x.data, c.w.data, nullptr, false), "forward");
  check_values(r.activated, exact_forward(g, c.x.data, c.w.data, c.bias.data, true), "forward with bias and relu");
  check_values(r.dx, exact_input_gradient(g, c.dy.data, c.w.data), "input gradient");
  check_values(r.dw, exact_kernel_gradient(g, c.x.data, c.dy.data), "kernel gradient");
  check_values(r.dbias, exact_bias_gradient(g, c.dy.data), "bias gradient");
}

void check_geometry(const ConvolutionGeometry& g, int skip, unsigned seed) {
  const Case c(g, skip, seed);
  check_way(c, skip, Way::stacks);
  if (target::has_few_lines(g)) check_way(c, skip, Way::lines);
}

bool fit(ConvolutionGeometry& g, const int64_t after[3]) {
  for (int i = 0; i < 3; ++i) {
    const int64_t room = g.in[i] + g.before[i] + after[i] - (g.kernel[i] - 1) * g.dilation[i] - 1;
    if (room < 0) return false;
    g.out[i] = room / g.stride[i] + 1;
  }
  return true;
}

ConvolutionGeometry plane(int64_t batch, int64_t in, int64_t channels, int64_t filters, int64_t kernel, int64_t stride = 1, int64_t pad = 0) {
  ConvolutionGeometry g{batch, channels, filters, 1, {1, in, in}, {}, {1, kernel, kernel}, {1, stride, stride}, {1, 1, 1}, {0, pad, pad}};
  const int64_t after[3] = {0, pad, pad};
  if (!fit(g, after)) std::abort();
  return g;
}

// Without tiles the products take ten times as long.
#if defined(__AMX_BF16__)
constexpr int kTimes = 1;
#else
constexpr int kTimes = 4;
#endif

void check_shapes() {
  unsigned seed = 1;
  for (int64_t in : {1, 3, 31, 32, 33, 64})
    for (int64_t out : {1, 15, 16, 17, 33, 48})
      if (++seed % kTimes == 0) check_geometry(plane(3, 4, in, out, 3, 1, 1), seed / kTimes % 4, seed);
  for (int64_t batch : {1, 2, 15, 16, 17, 31, 32, 33, 49, 65})
    if (++seed % kTimes == 0) check_geometry(plane(batch, 4, 20, 24, 3, 1, 1), seed / kTimes % 4, seed);
  check_geometry(plane(33, 9, 8, 16, 3), 0, 101);
  check_geometry(plane(5, 13, 32, 64, 3, 2, 1), 1, 102);
  check_geometry(plane(2, 4, 300, 290, 3, 1, 1), 3, 103);  // portions of the depth, parts of the channels
  check_geometry(plane(2, 9, 130, 270, 5, 1, 2), 2, 104);
  check_geometry(plane(1, 30, 3, 40, 7, 2, 3), 0, 105);
  check_geometry(plane(1, 6, 16, 16, 3, 1, 9), 1, 106);  // whole positions see only padding
  check_geometry(plane(2, 3, 8, 8, 1, 3), 1, 107);       // some input positions are never read
  check_geometry(plane(100, 1, 20, 30, 1), 1, 108);
  check_geometry(plane(3, 7, 600, 600, 1), 0, 109);
  check_geometry(plane(2, 9, 33, 40, 1, 2), 1, 110);     // lines that no tap reads
  check_geometry(plane(1, 80, 16, 16, 3, 1, 1), 2, 111);  // several groups of blocks, round the ring
  check_geometry(plane(2, 5, 290, 320, 3, 2, 1), 0, 112);  // residue classes with weights in portions and without
  check_geometry(plane(2, 9, 20, 20, 5, 4, 2), 1, 113);    // as many lines as there may be
  check_geometry({20, 40, 40, 1, {4, 3, 3}, {2, 3, 3}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}}, 0, 114);  // a group of several pictures
  check_geometry({9, 33, 20, 1, {40, 1, 1}, {11, 1, 1}, {30, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, 0, 115);  // short spans, far taps
}

void check_random(int count) {
  std::mt19937 random(20261122);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<unsigned>(high - low + 1)); };
  for (int done = 0; done < count;) {
    const int64_t axes = pick(1, 3);
    ConvolutionGeometry g{pick(1, 40), pick(1, 70), pick(1, 70), 1, {}, {}, {}, {}, {}, {}};
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
    if (double(target_size(g)) * volume(g.kernel) * g.in_channels > 1e6) continue;
    check_geometry(g, static_cast<int>(pick(0, 3)), static_cast<unsigned>(random()));
    ++done;
  }
}

// The largest sums of windows, and which cells they were.
void check_windows(const ConvolutionGeometry& given, const int64_t (&window)[3], bool relu, int skip, unsigned seed) {
  ConvolutionGeometry g = given;
  int64_t windows[3];
  for (int i = 0; i < 3; ++i) windows[i] = g.out[i] / window[i], g.out[i] = windows[i] * window[i];
  const Case c(g, skip, seed);
  const int64_t channels = g.out_channels, size = g.batch * volume(windows) * channels;
  Buffer<float> y(size, skip), again(size, skip);
  Buffer<uint8_t> winner(size, skip);
  PoolWorkers alone(one), workers(three);
  expect(target::split_forward(g, window, {c.x.data, c.bias.data, relu, y.data, winner.data}, c.w.data, alone), "finite numbers are split");
  expect(target::split_forward(g, window, {c.x.data, c.bias.data, relu, again.data, nullptr}, c.w.data, workers), "finite numbers are split");
  expect(same(y, again), "the same bits for one and three threads, with winners and without");
  const Exact sums = exact_forward(g, c.x.data, c.w.data, c.bias.data, false);
  for (int64_t i = 0; i < size; ++i) {
    const int64_t at = i / channels, place[3] = {at / (windows[1] * windows[2]) % windows[0], at / windows[2] % windows[1], at % windows[2]};
    double largest = -std::numeric_limits<double>::infinity(), magnitude = 0, won = 0;
    for (int64_t cell = 0; cell < volume(window); ++cell) {
      const int64_t inside[3] = {cell / (window[1] * window[2]), cell / window[2] % window[1], cell % window[2]};
      int64_t from = at / volume(windows);
      for (int k = 0; k < 3; ++k) from = from * g.out[k] + place[k] * window[k] + inside[k];
      from = from * channels + i % channels;
      largest = std::fmax(largest, sums.value[from]), magnitude = std::fmax(magnitude, sums.magnitude[from]);
      if (cell == winner.data[i]) won = sums.value[from];
    }
    expect(close(y.data[i], relu ? std::fmax(largest, 0.0) : largest, magnitude), "the largest of a window");
    expect(close(won, largest, magnitude), "the winner of a window is its largest cell");
    expect(!close(won + magnitude / 65536, largest, magnitude), "another winner passes for right");
  }
}

void check_pooled() {
  for (bool relu : {true, false}) {
    check_windows(plane(33, 13, 32, 64, 3), {1, 2, 2}, relu, 0, 1);
    check_windows(plane(3, 12, 5, 20, 3, 1, 1), {1, 3, 2}, relu, 1, 2);
    check_windows(plane(2, 6, 300, 200, 3, 1, 1), {1, 2, 2}, relu, 2, 3);  // weights in portions
    ConvolutionGeometry volume{2, 8, 17, 1, {5, 6, 6}, {4, 5, 5}, {2, 2, 2}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
    check_windows(volume, {2, 2, 2}, relu, 3, 4);
    ConvolutionGeometry line{18, 8, 17, 1, {1, 1, 40}, {1, 1, 38}, {1, 1, 3}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
    check_windows(line, {1, 1, 4}, relu, 0, 5);
  }
}

// Rows that no tap reads are not looked at, however many threads cut the picture.
void check_unread() {
  const ConvolutionGeometry g = plane(1, 14, 300, 600, 1, 2);
  for (int64_t row = 1; row < 14; row += 2) {
    Case c(g, 0, 8);
    c.x.data[row * 14 * 300] = std::numeric_limits<float>::infinity();
    Buffer<float> y(c.dy.size, 0);
    for (Way way : {Way::stacks, Way::lines})
      for (Pool* pool : {static_cast<Pool*>(&one), static_cast<Pool*>(&three)}) {
        PoolWorkers workers(*pool);
        expect(Convolver{way, workers}.forward(c, nullptr, false, y.data), "what is not read may be anything");
      }
  }
}

// Whatever cannot be split is told, wherever it is; the largest and the smallest that can be come through.
void check_strange(const ConvolutionGeometry& g, Way way) {
  for (float strange : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(),
                        std::numeric_limits<float>::max()}) {
    for (int argument = 0; argument < 3; ++argument) {
      Case c(g, 1, 9);
      Buffer<float>& buffer = argument == 0 ? c.x : argument == 1 ? c.w : c.dy;
      buffer.data[buffer.size - 2] = strange;
      PoolWorkers workers(three);
      const Convolver convolver{way, workers};
      Buffer<float> y(c.dy.size, 0), dx(c.x.size, 0), dw(c.w.size, 0);
      expect(convolver.forward(c, nullptr, false, y.data) == (argument == 2), "a strange number is told by forward");
      expect(convolver.input_gradient(c, dx.data) == (argument == 0), "a strange number is told by the input gradient");
      expect(convolver.kernel_gradient(c, dw.data, nullptr) == (argument == 1), "a strange number is told by the kernel gradient");
    }
  }
  for (bool relu : {true, false}) {
    Case c(g, 1, 9);
    c.bias.data[3] = std::numeric_limits<float>::quiet_NaN();
    PoolWorkers workers(three);
    Buffer<float> y(c.dy.size, 0);
    expect(Convolver{way, workers}.forward(c, c.bias.data, relu, y.data), "a bias is not split");
    for (int64_t i = 0; i < y.size; ++i) expect(std::isnan(y.data[i]) == (i % g.out_channels == 3), "a bias that is not a number comes through");
  }
  Case c(g, 0, 10);
  c.x.data[0] = 3.3e38f, c.w.data[0] = 1e-30f;
  for (int64_t i = 1; i < 7; ++i) c.x.data[i] = 1e-20f * static_cast<float>(i);
  const Results r(c, 0, three, way);
  expect(r.right, "large and small numbers are split");
  check_values(r.y, exact_forward(g, c.x.data, c.w.data, nullptr, false), "forward of large and small numbers");
}

// Three parts of 8 bits are all 24.
void check_parts() {
  std::mt19937 random(3);
  for (int i = 0; i < 1000; ++i) {
    float number[target::kWidth];
    for (float& lane : number) {
      const uint32_t bits = (random() & 0x807fffffu) | ((64 + random() % 128) << 23);
      std::memcpy(&lane, &bits, sizeof lane);
    }
    Bfloat16 parts[3 * target::kWidth];
    target::Strange strange;
    target::split_row(number, target::kWidth, parts, target::kWidth, strange);
    for (int lane = 0; lane < target::kWidth; ++lane) {
      double sum = 0;
      for (int part = 0; part < 3; ++part) sum += target::widened(parts[part * target::kWidth + lane]);
      expect(sum == number[lane], "the parts add up to the number");
      expect(sum != std::nextafter(number[lane], 0.0f), "the parts add up to another number");
    }
    expect(!strange.seen(), "an ordinary number is not strange");
  }
}

// A tiny number leaves its neighbours alone, sums that overflow are told, and many equal numbers are added well.
void check_extremes(const ConvolutionGeometry& g, Way way) {
  for (float tiny : {2.7498e-35f, 1e-38f, 1e-42f}) {
    Case c(g, 0, 11);
    for (Buffer<float>* buffer : {&c.x, &c.w, &c.dy})
      for (int64_t i = 0; i < buffer->size; ++i)
        if (i / 32 % 2 || i % 3 == 0) buffer->data[i] = tiny;
    for (int64_t i = 1; i < c.x.size; i += 2 * 36 * 32) c.x.data[i] = 1, c.dy.data[i] = 1;
    const Results r(c, 0, three, way);
    expect(r.right, "tiny numbers are split");
    check_values(r.y, exact_forward(g, c.x.data, c.w.data, nullptr, false), "forward of tiny numbers");
    check_values(r.dx, exact_input_gradient(g, c.dy.data, c.w.data), "input gradient of tiny numbers");
    check_values(r.dw, exact_kernel_gradient(g, c.x.data, c.dy.data), "kernel gradient of tiny numbers");
  }
  Case huge(g, 0, 12);
  for (Buffer<float>* buffer : {&huge.x, &huge.w, &huge.dy})
    for (int64_t i = 0; i < buffer->size; ++i) buffer->data[i] = 1.0039e30f;
  PoolWorkers workers(three);
  Buffer<float> y(huge.dy.size, 0), dx(huge.x.size, 0), dw(huge.w.size, 0);
  const int64_t window[3] = {1, 2, 2};
  const Convolver convolver{way, workers};
  expect(!convolver.forward(huge, nullptr, true, y.data), "overflow is told");
  expect(!convolver.input_gradient(huge, dx.data), "overflow is told by the input gradient");
  expect(!convolver.kernel_gradient(huge, dw.data, nullptr), "overflow is told by the kernel gradient");
  expect(!target::split_forward(g, window, {huge.x.data, huge.bias.data, true, y.data, nullptr}, huge.w.data, workers), "overflow in a window is told");
  const ConvolutionGeometry many = plane(64, 24, 2, 17, 1);
  Case equal(many, 0, 13);
  for (int64_t i = 0; i < equal.dy.size; ++i) equal.dy.data[i] = 0.1f;
  check_values(Results(equal, 0, three, way).dbias, exact_bias_gradient(many, equal.dy.data), "the bias gradient of equal numbers");
}

// Where parts are worth their while, and which way.
void check_choice() {
  const ConvolutionGeometry deep = plane(128, 32, 64, 64, 3, 1, 1), small = plane(128, 4, 512, 512, 3, 1, 1);
  expect(target::way_of_forward(deep) == Way::lines && target::way_of_input_gradient(deep) == Way::lines, "large pictures are lines");
  expect(target::way_of_forward(deep, {1, 2, 2}) == Way::stacks, "windows are multiplied in stacks");
  expect(target::way_of_kernel_gradient(deep) == Way::stacks, "pictures are stacked for the kernel gradient");
  expect(target::way_of_forward(small) == Way::stacks && target::way_of_input_gradient(small) == Way::stacks, "small pictures are stacked");
  const ConvolutionGeometry alone = plane(1, 32, 64, 64, 3, 1, 1), pointwise = plane(32, 14, 256, 512, 1);
  expect(target::way_of_forward(alone) == Way::lines && target::way_of_kernel_gradient(alone) == Way::vectors, "one picture does not fill a stack");
  expect(target::way_of_forward(pointwise) == Way::lines && target::way_of_kernel_gradient(pointwise) == Way::lines, "one tap of many channels");
  const ConvolutionGeometry cube{32, 32, 64, 1, {64, 64, 64}, {62, 62, 62}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
  const ConvolutionGeometry large{1, 256, 256, 1, {200, 200, 200}, {198, 198, 198}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
  expect(target::way_of_forward(cube) == Way::lines && target::way_of_kernel_gradient(cube) == Way::vectors, "planes of a volume are not stacked");
  expect(target::way_of_forward(large) == Way::vectors && target::way_of_input_gradient(large) == Way::vectors, "planes beyond the memory are not kept split");
  expect(target::way_of_forward(plane(128, 28, 1, 32, 3)) == Way::vectors && target::way_of_input_gradient(plane(128, 28, 1, 32, 3)) == Way::vectors,
         "one channel does not fill a tile");
  expect(target::way_of_kernel_gradient(plane(128, 32, 32, 64, 1)) == Way::vectors, "with one tap, splitting takes longer than multiplying");
  const ConvolutionGeometry apart = plane(32, 20, 256, 256, 5, 5);
  expect(!target::has_few_lines(apart) && target::way_of_forward(apart) == Way::stacks && target::way_of_input_gradient(apart) == Way::vectors,
         "a stride of more residues than there may be lines");
  const ConvolutionGeometry far{32, 512, 512, 1, {101, 16, 1}, {2, 16, 1}, {100, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
  expect(target::way_of_forward(far) == Way::vectors, "groups of blocks that see too many cells");
}

}  // namespace

int main(int count, char** arguments) {
#if defined(__AMX_BF16__)
  if (!may_use_tiles()) {
    std::printf("this machine has no tiles: not tested\n");
    return 0;
  }
#endif
  check_parts();
  check_shapes();
  check_random((count > 1 ? std::atoi(arguments[1]) : 100) / kTimes);
  check_pooled();
  for (Way way : {Way::stacks, Way::lines}) {
    check_strange(plane(17, 5, 7, 18, 3, 1, 1), way);
    check_strange(plane(17, 5, 7, 18, 1), way);
    check_extremes(plane(16, 6, 32, 32, 3, 1, 1), way);
    check_extremes(plane(16, 6, 32, 32, 1), way);
  }
  check_unread();
  check_choice();
  return verdict();
}
