// The slow obvious loops, in double precision. `magnitude` collects sums of absolute products: what rounding errors scale with.
#pragma once
#include <cmath>
#include <vector>
#include "../geometry.h"

namespace convista {

struct Exact {
  std::vector<double> value, magnitude;
  explicit Exact(int64_t size) : value(size), magnitude(size) {}
  void add(int64_t at, double product) {
    value[at] += product;
    magnitude[at] += std::fabs(product);
  }
};

inline int64_t volume(const int64_t size[3]) { return size[0] * size[1] * size[2]; }
inline int64_t source_size(const ConvolutionGeometry& g) { return g.batch * volume(g.in) * g.in_channels; }
inline int64_t target_size(const ConvolutionGeometry& g) { return g.batch * volume(g.out) * g.out_channels; }
inline int64_t kernel_size(const ConvolutionGeometry& g) { return volume(g.kernel) * (g.in_channels / g.groups) * g.out_channels; }

// Calls visit(index of x, index of w, index of y) for every product of the convolution.
template <typename Visit>
void visit_products(const ConvolutionGeometry& g, const Visit& visit) {
  const int64_t group_in = g.in_channels / g.groups, group_out = g.out_channels / g.groups, taps = volume(g.kernel);
  for (int64_t y = 0; y < g.batch * volume(g.out); ++y)
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t o[3] = {y / (g.out[1] * g.out[2]) % g.out[0], y / g.out[2] % g.out[1], y % g.out[2]};
      const int64_t k[3] = {tap / (g.kernel[1] * g.kernel[2]), tap / g.kernel[2] % g.kernel[1], tap % g.kernel[2]};
      int64_t x = y / volume(g.out);
      bool inside = true;
      for (int i = 0; i < 3; ++i) {
        const int64_t at = o[i] * g.stride[i] + k[i] * g.dilation[i] - g.before[i];
        inside = inside && at >= 0 && at < g.in[i];
        x = x * g.in[i] + at;
      }
      if (!inside) continue;
      for (int64_t c = 0; c < group_in; ++c)
        for (int64_t f = 0; f < g.out_channels; ++f)
          visit(x * g.in_channels + f / group_out * group_in + c, (tap * group_in + c) * g.out_channels + f, y * g.out_channels + f);
    }
}

inline Exact exact_forward(const ConvolutionGeometry& g, const float* x, const float* w, const float* bias, bool relu) {
  Exact y(target_size(g));
  for (int64_t i = 0; bias && i < target_size(g); ++i) y.add(i, bias[i % g.out_channels]);
  visit_products(g, [&](int64_t xi, int64_t wi, int64_t yi) { y.add(yi, double(x[xi]) * w[wi]); });
  for (double& value : y.value) value = relu && value < 0 ? 0 : value;
  return y;
}

inline Exact exact_input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w) {
  Exact dx(source_size(g));
  visit_products(g, [&](int64_t xi, int64_t wi, int64_t yi) { dx.add(xi, double(dy[yi]) * w[wi]); });
  return dx;
}

inline Exact exact_kernel_gradient(const ConvolutionGeometry& g, const float* x, const float* dy) {
  Exact dw(kernel_size(g));
  visit_products(g, [&](int64_t xi, int64_t wi, int64_t yi) { dw.add(wi, double(x[xi]) * dy[yi]); });
  return dw;
}

inline Exact exact_bias_gradient(const ConvolutionGeometry& g, const float* dy) {
  Exact dbias(g.out_channels);
  for (int64_t i = 0; i < target_size(g); ++i) dbias.add(i % g.out_channels, dy[i]);
  return dbias;
}

}  // namespace convista
