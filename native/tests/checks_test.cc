// Sizes and steps at the edge of their types: refused or safe, never an overflow (the sanitizers look on).
#include "../checks.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "expect.h"

namespace {

using namespace convista;
using Values = std::vector<int64_t>;

Sizes sizes(const Values& values) { return {values.data(), values.size()}; }

struct Call {
  Values x{2, 7, 6, 4}, w{3, 2, 2, 6}, y{2, 5, 4, 6}, window{3, 2};
  Values strides{1, 2}, before{0, 1}, after{0, 1}, dilation{1, 1};
  int64_t groups = 2;

  Steps steps() const { return {sizes(strides), sizes(before), sizes(after), sizes(dilation)}; }
  std::string convolution(ConvolutionGeometry& g) const {
    return check_convolution(sizes(x), sizes(w), sizes(y), steps(), groups, g);
  }
  std::string convolution() const {
    ConvolutionGeometry g;
    return convolution(g);
  }
  std::string block() const {
    ConvolutionGeometry g;
    PoolingGeometry p;
    return check_block(sizes(x), sizes(w), sizes(y), steps(), groups, sizes(window), g, p);
  }
  std::string pooling() const {
    PoolingGeometry g;
    Values out = y;
    if (!out.empty() && !x.empty()) out.back() = x.back();
    return check_pooling(sizes(x), sizes(out), sizes(window), steps(), g);
  }
};

void check_right_calls() {
  Call call;
  ConvolutionGeometry g;
  expect(call.convolution(g).empty(), "a right convolution is taken: " + call.convolution());
  expect(g.in[0] == 1 && g.in[1] == 7 && g.in[2] == 6 && g.stride[0] == 1 && g.stride[2] == 2 && g.before[2] == 1 &&
             g.kernel[0] == 1 && g.kernel[2] == 2 && g.out[1] == 5 && g.in_channels == 4 && g.out_channels == 6,
         "axes are filled from the last");
  expect(call.pooling().empty(), "a right pooling is taken: " + call.pooling());
}

template <typename Change>
void check_refused(const char* what, const Change& change) {
  Call call;
  change(call);
  expect(!call.convolution().empty(), std::string("convolution refuses ") + what);
}

void check_wrong_calls() {
  check_refused("another rank of the kernel", [](Call& c) { c.w.pop_back(); });
  check_refused("another rank of the output", [](Call& c) { c.y.pop_back(); });
  check_refused("an empty shape", [](Call& c) { c.x.clear(); });
  check_refused("no spatial axis", [](Call& c) { c.x = {2, 4}; });
  check_refused("four spatial axes", [](Call& c) { c.x = {2, 1, 1, 7, 6, 4}; });
  check_refused("another batch", [](Call& c) { c.y[0] = 3; });
  check_refused("another output size", [](Call& c) { c.y[1] = 6; });
  check_refused("another filter count", [](Call& c) { c.y[3] = 5; });
  check_refused("another channel count", [](Call& c) { c.w[2] = 4; });
  check_refused("groups that do not divide", [](Call& c) { c.groups = 3; });
  check_refused("no groups", [](Call& c) { c.groups = 0; });
  check_refused("negative groups", [](Call& c) { c.groups = -2; });
  check_refused("a kernel without taps", [](Call& c) { c.w[0] = 0; });
  check_refused("a negative size", [](Call& c) { c.x[1] = -7; });
  check_refused("a stride of zero", [](Call& c) { c.strides[0] = 0; });
  check_refused("a dilation of zero", [](Call& c) { c.dilation[1] = 0; });
  check_refused("negative padding", [](Call& c) { c.before[0] = -1; });
  check_refused("too few strides", [](Call& c) { c.strides.pop_back(); });
  check_refused("too much padding", [](Call& c) { c.after.push_back(0); });
  check_refused("a huge stride", [](Call& c) { c.strides[0] = INT64_MAX; });
  Call other;
  other.window = {1 << 20, 1 << 20};
  expect(!other.pooling().empty(), "pooling refuses a huge window");
  expect(!other.block().empty(), "a block refuses a huge window");
  other.window = {2, 2};
  other.y = {2, 2, 2, 6};
  expect(other.block().empty(), "a right block is taken: " + other.block());
  other.y[1] = 5;
  expect(!other.block().empty(), "a block refuses what its windows do not give");
}

void check_normalizations() {
  const Values x{2, 7, 6, 4}, channels{4}, mask{2}, wrong{3}, twice{4, 1}, none{};
  NormalizationGeometry g{};
  const auto call = [&](const Values& x, const Values& y, const Values& scale, const Values& mask) {
    return check_normalization(sizes(x), {sizes(y)}, {sizes(channels), sizes(scale)}, sizes(mask), g);
  };
  expect(call(x, x, channels, mask).empty(), "a right normalisation is taken: " + call(x, x, channels, mask));
  expect(g.batch == 2 && g.positions == 42 && g.channels == 4, "positions are those of all axes between");
  expect(call({2, 4}, {2, 4}, channels, mask).empty() && g.positions == 1, "no axis between is one position");
  expect(!call({4}, {4}, channels, mask).empty(), "normalisation refuses one axis");
  expect(!call(none, none, channels, mask).empty(), "normalisation refuses no axis");
  expect(!call({2, 0, 4}, {2, 0, 4}, channels, mask).empty(), "normalisation refuses nothing to normalise");
  expect(!call({2, -1, 4}, {2, -1, 4}, channels, mask).empty(), "normalisation refuses a negative size");
  expect(!call(x, {2, 7, 6, 5}, channels, mask).empty(), "normalisation refuses an output of another shape");
  expect(!call(x, {2, 7, 6}, channels, mask).empty(), "normalisation refuses an output of another rank");
  expect(!call(x, x, wrong, mask).empty() && !call(x, x, twice, mask).empty(), "normalisation refuses another number of channels");
  expect(!call(x, x, channels, wrong).empty() && !call(x, x, channels, none).empty(), "normalisation refuses another mask");
}

void check_random() {
  std::mt19937_64 random(7);
  const int64_t strange[] = {0, 1, 2, 3, 5, -1, INT64_MAX, INT64_MIN, int64_t{1} << 30, int64_t{1} << 31, int64_t{1} << 62};
  const auto value = [&] { return strange[random() % std::size(strange)]; };
  const auto values = [&](std::size_t count) {
    Values result(count);
    for (int64_t& v : result) v = value();
    return result;
  };
  int taken = 0;
  for (int i = 0; i < 60000; ++i) {
    Call call;
    const std::size_t axes = 1 + random() % 3;
    const auto maybe = [&](Values& v, std::size_t count) {
      if (random() % 3 == 0) v = values(random() % 8 == 0 ? random() % 6 : count);
    };
    if (axes == 2) {
      maybe(call.x, 4), maybe(call.w, 4), maybe(call.y, 4), maybe(call.strides, 2), maybe(call.before, 2);
      maybe(call.after, 2), maybe(call.dilation, 2), maybe(call.window, 2);
    } else {
      call.x = values(axes + 2), call.w = values(axes + 2), call.y = values(axes + 2), call.strides = values(axes);
      call.before = values(axes), call.after = values(axes), call.dilation = values(axes), call.window = values(axes);
    }
    if (random() % 2) call.groups = value();
    ConvolutionGeometry g;
    call.pooling();
    call.block();
    if (!call.convolution(g).empty()) continue;
    ++taken;
    for (int axis = 0; axis < 3; ++axis) {
      const int64_t last = (g.out[axis] - 1) * g.stride[axis] + (g.kernel[axis] - 1) * g.dilation[axis] - g.before[axis];
      expect(g.out[axis] == 0 || last <= g.in[axis] + (int64_t{1} << 30), "the last tap lies in the padded input");
    }
  }
  expect(taken > 100, "some random calls are right: " + std::to_string(taken));
}

}  // namespace

int main() {
  check_right_calls();
  check_wrong_calls();
  check_normalizations();
  check_random();
  return verdict();
}
