#include "checks.h"

#include <algorithm>

namespace convista {
namespace {

constexpr int64_t kLargest = int64_t{1} << 30;

std::string text(Sizes sizes) {
  std::string result = "(";
  for (std::size_t i = 0; i < sizes.count; ++i) result += (i ? ", " : "") + std::to_string(sizes.values[i]);
  return result + ")";
}

std::string check_range(const char* name, Sizes sizes, std::size_t count, int64_t smallest) {
  if (sizes.count != count) {
    return std::string(name) + " has one entry for each of the " + std::to_string(count) + " axes, got " + text(sizes);
  }
  for (std::size_t i = 0; i < sizes.count; ++i) {
    if (sizes.values[i] < smallest || sizes.values[i] > kLargest) {
      return std::string(name) + " lies between " + std::to_string(smallest) + " and 2^30, got " + text(sizes);
    }
  }
  return "";
}

std::string first(std::initializer_list<std::string> problems) {
  for (const std::string& problem : problems) {
    if (!problem.empty()) return problem;
  }
  return "";
}

// (in + before + after − span) / stride + 1, as the caller's output has it on every axis?
std::string check_outputs(Sizes x, Sizes y, const int64_t* window, Steps steps) {
  for (std::size_t axis = 0; axis + 2 < x.count; ++axis) {
    const int64_t span = (window[axis] - 1) * steps.dilation.values[axis] + 1;
    const int64_t padded = x.values[axis + 1] + steps.before.values[axis] + steps.after.values[axis];
    const int64_t positions = padded < span ? 0 : (padded - span) / steps.strides.values[axis] + 1;
    if (y.values[axis + 1] != positions) {
      return "axis " + std::to_string(axis) + " has " + std::to_string(positions) + " window positions, got an output " +
             text(y) + " for an input " + text(x);
    }
  }
  return "";
}

std::string check_ranks(Sizes x, Sizes y) {
  if (x.count < 3 || x.count > 5) {
    return "an input has a batch axis, one to three spatial axes and channels, got " + text(x);
  }
  if (y.count != x.count) return "input and output have the same rank, got " + text(x) + " and " + text(y);
  if (y.values[0] != x.values[0]) return "input and output have the same batch size, got " + text(x) + " and " + text(y);
  return first({check_range("an input", x, x.count, 0), check_range("an output", y, x.count, 0)});
}

// Axes are filled from the last one, so that the last spatial axis is always the one that is contiguous.
void spread(Sizes from, std::size_t skip, std::size_t axes, int64_t missing, int64_t (&to)[3]) {
  std::fill(to, to + 3, missing);
  std::copy(from.values + skip, from.values + skip + axes, to + 3 - axes);
}

}  // namespace

std::string check_convolution(Sizes x, Sizes w, Sizes y, Steps steps, int64_t groups, ConvolutionGeometry& geometry) {
  std::string problem = check_ranks(x, y);
  if (!problem.empty()) return problem;
  const std::size_t axes = x.count - 2;
  if (w.count != x.count) return "a kernel has the rank of its input, got " + text(w) + " for an input " + text(x);
  problem = first({check_range("a kernel", w, w.count, 0), check_range("strides", steps.strides, axes, 1),
                   check_range("dilation", steps.dilation, axes, 1), check_range("padding before", steps.before, axes, 0),
                   check_range("padding after", steps.after, axes, 0)});
  if (!problem.empty()) return problem;
  if (std::any_of(w.values, w.values + axes, [](int64_t size) { return size < 1; })) {
    return "a kernel has at least one tap, got " + text(w);
  }
  const int64_t channels = x.values[axes + 1], filters = w.values[axes + 1];
  if (groups < 1 || groups > kLargest || channels % groups || filters % groups || w.values[axes] != channels / groups) {
    return "channels / groups = kernel channels and groups divide the filters, got " + std::to_string(groups) +
           " groups, an input " + text(x) + " and a kernel " + text(w);
  }
  if (y.values[axes + 1] != filters) return "an output has the kernel's filters, got " + text(y) + " and a kernel " + text(w);
  problem = check_outputs(x, y, w.values, steps);
  if (!problem.empty()) return problem;
  geometry.batch = x.values[0];
  geometry.in_channels = channels;
  geometry.out_channels = filters;
  geometry.groups = groups;
  spread(x, 1, axes, 1, geometry.in);
  spread(y, 1, axes, 1, geometry.out);
  spread(w, 0, axes, 1, geometry.kernel);
  spread(steps.strides, 0, axes, 1, geometry.stride);
  spread(steps.dilation, 0, axes, 1, geometry.dilation);
  spread(steps.before, 0, axes, 0, geometry.before);
  return "";
}

std::string check_pooling(Sizes x, Sizes y, Sizes window, Steps steps, PoolingGeometry& geometry) {
  std::string problem = check_ranks(x, y);
  if (!problem.empty()) return problem;
  const std::size_t axes = x.count - 2;
  static constexpr int64_t kOnes[] = {1, 1, 1};
  steps.dilation = {kOnes, axes};
  problem = first({check_range("a window", window, axes, 1), check_range("strides", steps.strides, axes, 1),
                   check_range("padding before", steps.before, axes, 0), check_range("padding after", steps.after, axes, 0)});
  if (!problem.empty()) return problem;
  int64_t cells = 1;
  for (std::size_t axis = 0; axis < axes; ++axis) cells = std::min(cells * window.values[axis], kLargest + 1);
  if (cells > kLargest) return "a window has at most 2^30 cells, got " + text(window);
  if (y.values[axes + 1] != x.values[axes + 1]) {
    return "input and output have the same channels, got " + text(x) + " and " + text(y);
  }
  problem = check_outputs(x, y, window.values, steps);
  if (!problem.empty()) return problem;
  geometry.batch = x.values[0];
  geometry.channels = x.values[axes + 1];
  spread(x, 1, axes, 1, geometry.in);
  spread(y, 1, axes, 1, geometry.out);
  spread(window, 0, axes, 1, geometry.size);
  spread(steps.strides, 0, axes, 1, geometry.stride);
  spread(steps.before, 0, axes, 0, geometry.before);
  return "";
}

std::string check_block(Sizes x, Sizes w, Sizes y, Steps steps, int64_t groups, Sizes window, ConvolutionGeometry& convolution,
                        PoolingGeometry& pooling) {
  std::string problem = check_ranks(x, y);
  if (!problem.empty()) return problem;
  const std::size_t axes = x.count - 2;
  if (w.count != x.count) return "a kernel has the rank of its input, got " + text(w) + " for an input " + text(x);
  problem = first({check_range("a window", window, axes, 1), check_range("a kernel", w, w.count, 0),
                   check_range("strides", steps.strides, axes, 1), check_range("dilation", steps.dilation, axes, 1),
                   check_range("padding before", steps.before, axes, 0), check_range("padding after", steps.after, axes, 0)});
  if (!problem.empty()) return problem;
  int64_t cells = 1, positions[5];
  for (std::size_t axis = 0; axis < axes; ++axis) cells = std::min(cells * window.values[axis], kLargest);
  if (cells > 256) return "a window has at most 256 cells, got " + text(window);
  std::copy(y.values, y.values + y.count, positions);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    if (w.values[axis] < 1) return "a kernel has at least one tap, got " + text(w);
    const int64_t span = (w.values[axis] - 1) * steps.dilation.values[axis] + 1;
    const int64_t padded = x.values[axis + 1] + steps.before.values[axis] + steps.after.values[axis];
    positions[axis + 1] = padded < span ? 0 : (padded - span) / steps.strides.values[axis] + 1;
  }
  const Sizes between{positions, y.count};
  problem = check_convolution(x, w, between, steps, groups, convolution);
  if (!problem.empty()) return problem;
  static constexpr int64_t kZeros[] = {0, 0, 0};
  return check_pooling(between, y, window, {window, {kZeros, axes}, {kZeros, axes}, {}}, pooling);
}

std::string check_normalization(Sizes x, std::initializer_list<Sizes> alike, std::initializer_list<Sizes> of_channels, Sizes mask,
                                NormalizationGeometry& geometry) {
  if (x.count < 2) return "an input has a batch axis and channels, got " + text(x);
  const std::string problem = check_range("an input", x, x.count, 1);
  if (!problem.empty()) return problem;
  for (const Sizes& buffer : alike) {
    if (!std::equal(buffer.values, buffer.values + buffer.count, x.values, x.values + x.count)) {
      return "an output and gradients have the shape of the input, got " + text(buffer) + " and " + text(x);
    }
  }
  geometry = {x.values[0], 1, x.values[x.count - 1]};
  for (std::size_t axis = 1; axis + 1 < x.count; ++axis) geometry.positions *= x.values[axis];
  for (const Sizes& buffer : of_channels) {
    if (buffer.count != 1 || buffer.values[0] != geometry.channels) {
      return "scale, offset, mean and variance have one number a channel, got " + text(buffer) + " for an input " + text(x);
    }
  }
  if (mask.count == 1 && mask.values[0] == geometry.batch) return "";
  return "a mask has one number a picture, got " + text(mask) + " for an input " + text(x);
}

}  // namespace convista
