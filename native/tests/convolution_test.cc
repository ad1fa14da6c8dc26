// Compares the three convolution functions with double-precision loops. Compile once per instruction set.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>
#include "../convolution.h"
#include "convolution_oracle.h"
#include "thread_workers.h"

namespace {

using namespace convista;
namespace target = convista::CONVISTA_TARGET;

int failures = 0;
long checks = 0;

std::string words(const ConvolutionGeometry& g) {
  std::string text = "batch " + std::to_string(g.batch) + " channels " + std::to_string(g.in_channels) + "→" + std::to_string(g.out_channels) +
                     " groups " + std::to_string(g.groups);
  const auto triple = [&](const char* name, const int64_t v[3]) {
    text += std::string(" ") + name + " " + std::to_string(v[0]) + "," + std::to_string(v[1]) + "," + std::to_string(v[2]);
  };
  triple("in", g.in);
  triple("out", g.out);
  triple("kernel", g.kernel);
  triple("stride", g.stride);
  triple("dilation", g.dilation);
  triple("before", g.before);
  return text;
}

void check(bool right, const ConvolutionGeometry& g, const std::string& what) {
  ++checks;
  if (right) return;
  ++failures;
  std::printf("WRONG %s: %s\n", what.c_str(), words(g).c_str());
}

// Floats at any alignment, between guard words that nobody may write, filled with NaN until written.
class Buffer {
 public:
  Buffer(int64_t size, int misaligned) : size_(size), start_(kGuard + misaligned), memory_(size + 2 * kGuard + misaligned, guard()) {}
  float* data() { return memory_.data() + start_; }
  int64_t size() const { return size_; }
  bool guards_intact() const {
    for (int64_t i = 0; i < static_cast<int64_t>(memory_.size()); ++i) {
      const float word = guard();
      if ((i < start_ || i >= start_ + size_) && std::memcmp(&memory_[i], &word, sizeof word) != 0) return false;
    }
    return true;
  }
  void randomize(std::mt19937& random) {
    for (int64_t i = 0; i < size_; ++i) data()[i] = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0f;
  }

 private:
  static constexpr int kGuard = 64;
  static float guard() { return std::numeric_limits<float>::quiet_NaN(); }
  int64_t size_;
  int64_t start_;
  std::vector<float> memory_;
};

// A sum of n float32 products errs by at most about n·2⁻²⁴ of its magnitude, in practice by √n; NaN is never close.
bool close(const float* got, const Exact& exact) {
  for (size_t i = 0; i < exact.value.size(); ++i)
    if (!(std::fabs(got[i] - exact.value[i]) <= 4e-6 * exact.magnitude[i] + 1e-30)) return false;
  return true;
}

struct Arrays {
  Buffer x, w, bias, dy;
  Arrays(const ConvolutionGeometry& g, int misaligned, unsigned seed)
      : x(source_size(g), misaligned), w(kernel_size(g), misaligned), bias(g.out_channels, misaligned), dy(target_size(g), misaligned) {
    std::mt19937 random(seed);
    for (Buffer* buffer : {&x, &w, &bias, &dy}) buffer->randomize(random);
  }
  bool guards_intact() const { return x.guards_intact() && w.guards_intact() && bias.guards_intact() && dy.guards_intact(); }
};

struct Results {
  Buffer y, activated, dx, dw, dbias, dw_alone;
  Results(const ConvolutionGeometry& g, int misaligned, Arrays& a, Workers& workers)
      : y(target_size(g), misaligned), activated(target_size(g), misaligned), dx(source_size(g), misaligned), dw(kernel_size(g), misaligned),
        dbias(g.out_channels, misaligned), dw_alone(kernel_size(g), misaligned) {
    target::convolution_forward(g, a.x.data(), a.w.data(), nullptr, false, y.data(), workers);
    target::convolution_forward(g, a.x.data(), a.w.data(), a.bias.data(), true, activated.data(), workers);
    target::convolution_input_gradient(g, a.dy.data(), a.w.data(), dx.data(), workers);
    target::convolution_kernel_gradient(g, a.x.data(), a.dy.data(), dw.data(), dbias.data(), workers);
    target::convolution_kernel_gradient(g, a.x.data(), a.dy.data(), dw_alone.data(), nullptr, workers);
  }
  std::vector<Buffer*> all() { return {&y, &activated, &dx, &dw, &dbias, &dw_alone}; }
};

bool same_bits(Buffer& a, Buffer& b) { return std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size()) * sizeof(float)) == 0; }

ThreadWorkers one(1, true), two(2, true), three(3, true);

// A wrong product, an omitted product and a wrong sign must not pass for right.
void check_rejects(Buffer& got, const Exact& exact, const ConvolutionGeometry& g, const std::string& what) {
  for (int64_t i = 0; i < got.size(); ++i) {
    if (exact.magnitude[i] == 0 || exact.value[i] == 0) continue;
    const float right = got.data()[i];
    for (float wrong : {static_cast<float>(right + 1e-4 * exact.magnitude[i]), -right, std::numeric_limits<float>::quiet_NaN()}) {
      got.data()[i] = wrong;
      check(!close(got.data(), exact) || std::fabs(right) < 1e-5 * exact.magnitude[i], g, what + " accepts a wrong value");
    }
    got.data()[i] = right;
    return;
  }
}

void check_values(const ConvolutionGeometry& g, Arrays& a, Results& r) {
  const Exact y = exact_forward(g, a.x.data(), a.w.data(), nullptr, false);
  const Exact activated = exact_forward(g, a.x.data(), a.w.data(), a.bias.data(), true);
  const Exact dx = exact_input_gradient(g, a.dy.data(), a.w.data());
  const Exact dw = exact_kernel_gradient(g, a.x.data(), a.dy.data());
  const Exact dbias = exact_bias_gradient(g, a.dy.data());
  check(close(r.y.data(), y), g, "forward");
  check(close(r.activated.data(), activated), g, "forward with bias and relu");
  check(close(r.dx.data(), dx), g, "input gradient");
  check(close(r.dw.data(), dw), g, "kernel gradient");
  check(close(r.dbias.data(), dbias), g, "bias gradient");
  check_rejects(r.y, y, g, "forward");
  check_rejects(r.activated, activated, g, "forward with bias and relu");
  check_rejects(r.dx, dx, g, "input gradient");
  check_rejects(r.dw, dw, g, "kernel gradient");
  check_rejects(r.dbias, dbias, g, "bias gradient");
}

void check_geometry(const ConvolutionGeometry& g, int misaligned, unsigned seed) {
  Arrays a(g, misaligned, seed);
  Results r(g, misaligned, a, one);
  check_values(g, a, r);
  check(same_bits(r.dw, r.dw_alone), g, "kernel gradient without bias gradient");
  check(a.guards_intact(), g, "guard words of the arguments");
  for (Buffer* buffer : r.all()) check(buffer->guards_intact(), g, "guard words of a result");
  for (ThreadWorkers* workers : {&two, &three}) {
    Results other(g, misaligned, a, *workers);
    for (size_t i = 0; i < r.all().size(); ++i) check(same_bits(*r.all()[i], *other.all()[i]), g, "bits with more threads");
  }
}

// out from in, with `after` zeros behind each axis; no geometry when the kernel does not fit.
bool fit(ConvolutionGeometry& g, const int64_t after[3]) {
  for (int i = 0; i < 3; ++i) {
    const int64_t room = g.in[i] + g.before[i] + after[i] - (g.kernel[i] - 1) * g.dilation[i] - 1;
    if (room < 0) return false;
    g.out[i] = room / g.stride[i] + 1;
  }
  return true;
}

ConvolutionGeometry plane(int64_t batch, int64_t in, int64_t channels, int64_t filters, int64_t kernel, int64_t stride = 1, int64_t before = 0,
                          int64_t after = 0, int64_t dilation = 1, int64_t groups = 1) {
  ConvolutionGeometry g{batch, channels, filters, groups, {1, in, in}, {}, {1, kernel, kernel}, {1, stride, stride}, {1, dilation, dilation},
                        {0, before, before}};
  const int64_t behind[3] = {0, after, after};
  if (!fit(g, behind)) std::abort();
  return g;
}

void check_grid() {
  unsigned seed = 1;
  const int64_t channels[] = {1, 2, 3, 5, 8, 16, 17, 31, 32, 33, 64, 100};
  for (int64_t in : channels)
    for (int64_t out : channels) check_geometry(plane(2, 5, in, out, 3, 1, 1, 1), seed % 4, seed), ++seed;
  for (int64_t kernel : {1, 2, 3, 5})
    for (int64_t stride : {1, 2, 3})
      for (int64_t dilation : {1, 2, 3})
        for (int64_t before : {0, 1, 3})
          for (int64_t after : {0, 2}) {
            if ((kernel - 1) * dilation + 1 > 9 + before + after) continue;
            check_geometry(plane(2, 9, 3, 17, kernel, stride, before, after, dilation), seed % 4, seed), ++seed;
            check_geometry(plane(1, 9, 4, 8, kernel, stride, before, after, dilation, 2), seed % 4, seed), ++seed;
            check_geometry(plane(3, 9, 19, 19, kernel, stride, before, after, dilation, 19), seed % 4, seed), ++seed;
          }
  for (int64_t channel : channels)
    for (int64_t multiplier : {1, 2, 3})
      for (int64_t stride : {1, 2}) check_geometry(plane(3, 8, channel, channel * multiplier, 3, stride, 1, 1, 1, channel), seed % 4, seed), ++seed;
}

// Shapes that reach every way of cutting the work: many units, slices, chunks of rows, blocks as tasks.
void check_shapes() {
  check_geometry(plane(20, 28, 1, 32, 3), 0, 1);
  check_geometry(plane(9, 13, 32, 64, 3), 1, 2);
  check_geometry(plane(33, 5, 64, 128, 3), 2, 3);
  check_geometry(plane(3, 4, 200, 230, 3, 1, 1, 1), 3, 4);
  check_geometry(plane(1, 40, 3, 70, 7, 2, 3, 3), 0, 5);
  check_geometry(plane(2, 36, 40, 40, 3, 1, 1, 1, 1, 40), 0, 6);
  check_geometry(plane(40, 7, 24, 40, 1), 1, 7);
  check_geometry(plane(5, 12, 48, 96, 3, 1, 1, 1, 1, 3), 1, 8);
  check_geometry(plane(1, 6, 16, 16, 3, 1, 9, 9), 1, 9);   // whole positions see only padding
  check_geometry(plane(2, 3, 8, 8, 1, 3), 1, 10);          // some input positions are never read
  check_geometry(plane(300, 1, 20, 30, 1), 1, 11);
  ConvolutionGeometry line{2, 6, 20, 1, {300, 1, 1}, {296, 1, 1}, {5, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
  check_geometry(line, 0, 12);
  ConvolutionGeometry dilated{1, 5, 7, 1, {1, 1, 3000}, {1, 1, 3000}, {1, 1, 9}, {1, 1, 1}, {1, 1, 16}, {0, 0, 64}};
  check_geometry(dilated, 0, 13);
  ConvolutionGeometry cube{2, 4, 33, 1, {6, 7, 8}, {6, 7, 8}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
  check_geometry(cube, 1, 14);
}

// Depthwise rows around the length of a strip: rows that it fills, rests, taps in one run and in several, ends inside and outside
// the picture, channels of several vectors and a rest, one filter per channel and more.
void check_depthwise_rows() {
  const int64_t channels[] = {2, 16, 33, 47, 64}, multipliers[] = {1, 2, 1, 3, 4, 1, 8};
  unsigned seed = 1;
  for (int64_t width = 1; width <= 19; ++width)
    for (int64_t kernel : {1, 2, 3, 4, 5, 7})
      for (int64_t stride : {1, 2, 3}) {
        const int64_t channel = channels[seed % 5], dilation = seed % 11 == 0 ? 2 : 1, pads = kernel > 3 ? 4 : 3;
        ConvolutionGeometry g{2, channel, channel * multipliers[seed % 7], channel, {1, 3, width}, {}, {1, seed % 3 + 1, kernel},
                              {1, seed % 2 + 1, stride}, {1, 1, dilation}, {0, seed % 2, static_cast<int64_t>(seed / 3) % pads}};
        const int64_t after[3] = {0, 1, static_cast<int64_t>(seed / 5) % pads};
        ++seed;
        if (fit(g, after)) check_geometry(g, seed % 4, seed);
      }
  for (int64_t width : {8, 16, 32})  // as a rule: 3 × 3, "same"
    for (int64_t stride : {1, 2}) check_geometry(plane(2, width, 80, 80, 3, stride, stride == 1, 1, 1, 80), 0, seed++);
  check_geometry(plane(150, 9, 40, 40, 3, 2, 0, 1, 1, 40), 1, seed++);  // several tasks and slices
  check_geometry(plane(2, 30, 36, 36, 7, 1, 3, 3, 1, 36), 2, seed++);
  // Rows that are cut, for all classes of columns.
  ConvolutionGeometry sequence{2, 50, 50, 50, {1, 1, 4100}, {}, {1, 1, 9}, {1, 1, 1}, {1, 1, 4}, {0, 0, 16}};
  const int64_t sixteen[3] = {0, 0, 16}, none[3] = {0, 0, 0};
  if (fit(sequence, sixteen)) check_geometry(sequence, 0, seed++);
  ConvolutionGeometry strided{1, 40, 80, 40, {1, 1, 9001}, {}, {1, 1, 6}, {1, 1, 3}, {1, 1, 1}, {0, 0, 2}};
  if (fit(strided, none)) check_geometry(strided, 1, seed++);
  ConvolutionGeometry cube{2, 35, 70, 35, {4, 5, 9}, {}, {2, 3, 3}, {2, 1, 2}, {1, 1, 1}, {1, 0, 1}};
  const int64_t behind[3] = {0, 2, 1};
  if (fit(cube, behind)) check_geometry(cube, 3, seed);
}

// More parts of rows than slices of the kernel gradient; the other functions would only take time.
void check_depthwise_parts() {
  ConvolutionGeometry g{17, 30, 30, 30, {1, 1, 3200}, {}, {1, 1, 11}, {1, 1, 1}, {1, 1, 1}, {0, 0, 5}};
  const int64_t after[3] = {0, 0, 5};
  if (!fit(g, after)) std::abort();
  Arrays a(g, 0, 7);
  Buffer dw(kernel_size(g), 0), dbias(g.out_channels, 0), other(kernel_size(g), 0);
  target::convolution_kernel_gradient(g, a.x.data(), a.dy.data(), dw.data(), dbias.data(), one);
  target::convolution_kernel_gradient(g, a.x.data(), a.dy.data(), other.data(), nullptr, three);
  check(close(dw.data(), exact_kernel_gradient(g, a.x.data(), a.dy.data())), g, "kernel gradient");
  check(close(dbias.data(), exact_bias_gradient(g, a.dy.data())), g, "bias gradient");
  check(same_bits(dw, other), g, "bits with more threads");
}

void check_random(int count) {
  std::mt19937 random(20240607);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<unsigned>(high - low + 1)); };
  const int64_t channels[] = {1, 2, 3, 5, 8, 16, 17, 31, 32, 33, 64, 100};
  for (int done = 0; done < count;) {
    const int64_t axes = pick(1, 3), groups = random() % 3 ? 1 : pick(2, 9);
    const bool depthwise = random() % 4 == 0;
    ConvolutionGeometry g{pick(1, 9), channels[pick(0, 11)], channels[pick(0, 11)], 1, {}, {}, {}, {}, {}, {}};
    if (groups > 1) g.groups = groups, g.in_channels = groups * pick(1, 9), g.out_channels = groups * pick(1, 21);
    if (depthwise) g.groups = g.in_channels, g.out_channels = g.in_channels * pick(1, 2);
    int64_t after[3];
    for (int i = 0; i < 3; ++i) {
      const bool used = i >= 3 - axes;
      const int64_t most = axes == 1 ? 60 : axes == 2 ? 12 : 6;
      g.in[i] = used ? pick(1, most) : 1;
      g.kernel[i] = used ? pick(1, 5) : 1;
      g.stride[i] = used ? pick(1, 3) : 1;
      g.dilation[i] = used ? pick(1, 3) : 1;
      g.before[i] = used ? pick(0, 4) : 0;
      after[i] = used ? pick(0, 4) : 0;
    }
    if (!fit(g, after)) continue;
    const double products = double(target_size(g)) * volume(g.kernel) * (g.in_channels / g.groups);
    if (products > 3e6) continue;
    check_geometry(g, static_cast<int>(pick(0, 3)), static_cast<unsigned>(random()));
    ++done;
  }
}

// One NaN or infinity in an argument must reach exactly the results that depend on it.
void check_propagation(const ConvolutionGeometry& g, float strange, bool last = false) {
  Arrays a(g, 1, 99);
  const auto place = [&](int64_t size) { return last ? size - 1 : size / 2; };
  const int64_t xi = place(source_size(g)), wi = place(kernel_size(g)), yi = place(target_size(g));
  const auto agree = [&](Buffer& got, const Exact& exact, const char* what) {
    for (int64_t i = 0; i < got.size(); ++i)
      if (std::isfinite(got.data()[i]) != std::isfinite(exact.value[i])) return check(false, g, what);
    check(true, g, what);
  };
  a.x.data()[xi] = strange;
  {
    Results r(g, 1, a, two);
    agree(r.y, exact_forward(g, a.x.data(), a.w.data(), nullptr, false), "a strange input in forward");
    agree(r.dw, exact_kernel_gradient(g, a.x.data(), a.dy.data()), "a strange input in the kernel gradient");
    const Exact activated = exact_forward(g, a.x.data(), a.w.data(), a.bias.data(), false);
    for (int64_t i = 0; i < r.activated.size(); ++i)
      check(std::isnan(activated.value[i]) == std::isnan(r.activated.data()[i]), g, "relu of a NaN");
  }
  a.x.data()[xi] = 0.5f;
  a.dy.data()[yi] = strange;
  {
    Results r(g, 1, a, two);
    agree(r.dx, exact_input_gradient(g, a.dy.data(), a.w.data()), "a strange dy in the input gradient");
    agree(r.dw, exact_kernel_gradient(g, a.x.data(), a.dy.data()), "a strange dy in the kernel gradient");
    agree(r.dbias, exact_bias_gradient(g, a.dy.data()), "a strange dy in the bias gradient");
  }
  a.dy.data()[yi] = 0.5f;
  a.w.data()[wi] = strange;
  Results r(g, 1, a, two);
  agree(r.y, exact_forward(g, a.x.data(), a.w.data(), nullptr, false), "a strange weight in forward");
  agree(r.dx, exact_input_gradient(g, a.dy.data(), a.w.data()), "a strange weight in the input gradient");
}

}  // namespace

int main(int count, char** arguments) {
  const int random = count > 1 ? std::atoi(arguments[1]) : 400;
  check_shapes();
  check_grid();
  check_depthwise_rows();
  check_depthwise_parts();
  check_random(random);
  for (float strange : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (int64_t groups : {1, 3, 6}) check_propagation(plane(3, 7, 6, 18, 3, 2, 1, 1, 1, groups), strange);
    check_propagation(plane(3, 7, 2, 37, 3, 1, 1, 1), strange);
    for (int64_t in : {3, 7, 12, 17})
      for (int64_t stride : {1, 2})
        for (bool last : {false, true}) check_propagation(plane(3, in, 37, 37, 3, stride, 1, 1, 1, 37), strange, last);
    check_propagation(plane(2, 13, 34, 68, 5, 1, 2, 2, 1, 34), strange);
    check_propagation(plane(3, 7, 37, 2, 3, 1, 1, 1), strange);
  }
  std::printf("%ld checks, %d wrong\n", checks, failures);
  return failures != 0;
}
