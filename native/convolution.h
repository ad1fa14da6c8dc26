// Stand-in: the slow obvious loops, until the tuned algorithms arrive.
#pragma once
#include <cstdint>

#include "geometry.h"
#include "vector.h"
#include "workers.h"

namespace convista::CONVISTA_TARGET {

template <typename Body>
inline void every_product(const ConvolutionGeometry& g, int64_t n, const Body& body) {
  const int64_t gi = g.in_channels / g.groups, go = g.out_channels / g.groups;
  for (int64_t p0 = 0; p0 < g.out[0]; ++p0) for (int64_t p1 = 0; p1 < g.out[1]; ++p1) for (int64_t p2 = 0; p2 < g.out[2]; ++p2)
  for (int64_t k0 = 0; k0 < g.kernel[0]; ++k0) for (int64_t k1 = 0; k1 < g.kernel[1]; ++k1) for (int64_t k2 = 0; k2 < g.kernel[2]; ++k2) {
    const int64_t i0 = p0 * g.stride[0] + k0 * g.dilation[0] - g.before[0], i1 = p1 * g.stride[1] + k1 * g.dilation[1] - g.before[1],
                  i2 = p2 * g.stride[2] + k2 * g.dilation[2] - g.before[2];
    if (i0 < 0 || i0 >= g.in[0] || i1 < 0 || i1 >= g.in[1] || i2 < 0 || i2 >= g.in[2]) continue;
    const int64_t x = (((n * g.in[0] + i0) * g.in[1] + i1) * g.in[2] + i2) * g.in_channels;
    const int64_t y = (((n * g.out[0] + p0) * g.out[1] + p1) * g.out[2] + p2) * g.out_channels;
    const int64_t w = ((k0 * g.kernel[1] + k1) * g.kernel[2] + k2) * gi * g.out_channels;
    for (int64_t group = 0; group < g.groups; ++group) for (int64_t c = 0; c < gi; ++c) for (int64_t o = group * go; o < (group + 1) * go; ++o)
      body(x + group * gi + c, w + c * g.out_channels + o, y + o);
  }
}

inline void convolution_forward(const ConvolutionGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y, Workers& workers) {
  workers.run(static_cast<int>(g.batch), [&](int n) {
    const int64_t size = g.out[0] * g.out[1] * g.out[2] * g.out_channels;
    float* image = y + n * size;
    for (int64_t i = 0; i < size; ++i) image[i] = bias ? bias[i % g.out_channels] : 0.0f;
    every_product(g, n, [&](int64_t a, int64_t b, int64_t c) { y[c] += x[a] * w[b]; });
    if (relu) for (int64_t i = 0; i < size; ++i) image[i] = image[i] < 0.0f ? 0.0f : image[i];
  });
}

inline void convolution_input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  workers.run(static_cast<int>(g.batch), [&](int n) {
    const int64_t size = g.in[0] * g.in[1] * g.in[2] * g.in_channels;
    for (int64_t i = 0; i < size; ++i) dx[n * size + i] = 0.0f;
    every_product(g, n, [&](int64_t a, int64_t b, int64_t c) { dx[a] += dy[c] * w[b]; });
  });
}

inline void convolution_kernel_gradient(const ConvolutionGeometry& g, const float* x, const float* dy, float* dw, float* dbias, Workers&) {
  const int64_t size = g.kernel[0] * g.kernel[1] * g.kernel[2] * (g.in_channels / g.groups) * g.out_channels;
  for (int64_t i = 0; i < size; ++i) dw[i] = 0.0f;
  for (int64_t n = 0; n < g.batch; ++n) every_product(g, n, [&](int64_t a, int64_t b, int64_t c) { dw[b] += x[a] * dy[c]; });
  if (dbias == nullptr) return;
  for (int64_t o = 0; o < g.out_channels; ++o) dbias[o] = 0.0f;
  for (int64_t i = 0; i < g.batch * g.out[0] * g.out[1] * g.out[2] * g.out_channels; ++i) dbias[i % g.out_channels] += dy[i];
}

}  // namespace convista::CONVISTA_TARGET
