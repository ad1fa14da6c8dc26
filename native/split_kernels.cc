// Kernels of float32 for processors with bfloat16 tiles: those of AVX-512 but for convolutions that are faster in parts. Compiled with
// -DCONVISTA_TARGET=amx.
#include "kernels.h"
#include "split_convolution.h"

namespace convista {
namespace {

namespace target = CONVISTA_TARGET;
using target::Way;

bool forward_in_parts(const ConvolutionGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y, Workers& workers) {
  switch (target::way_of_forward(g)) {
    case Way::stacks: return target::split_forward(g, target::kNoWindow, {x, bias, relu, y, nullptr}, w, workers);
    case Way::lines: return target::line_forward(g, {x, bias, relu, y}, w, workers);
    default: return false;
  }
}

bool input_gradient_in_parts(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  switch (target::way_of_input_gradient(g)) {
    case Way::stacks: return target::split_input_gradient(g, dy, w, dx, workers);
    case Way::lines: return target::line_input_gradient(g, dy, w, dx, workers);
    default: return false;
  }
}

bool kernel_gradient_in_parts(const ConvolutionGeometry& g, const float* x, const float* dy, float* dw, float* dbias, Workers& workers) {
  switch (target::way_of_kernel_gradient(g)) {
    case Way::stacks: return target::split_kernel_gradient(g, x, dy, dw, dbias, workers);
    case Way::lines: return target::pointwise_kernel_gradient(g, x, dy, dw, dbias, workers);
    default: return false;
  }
}

void forward(const ConvolutionGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y, Workers& workers) {
  if (!forward_in_parts(g, x, w, bias, relu, y, workers)) table_avx512().convolution_forward(g, x, w, bias, relu, y, workers);
}

void input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  if (!input_gradient_in_parts(g, dy, w, dx, workers)) table_avx512().convolution_input_gradient(g, dy, w, dx, workers);
}

void kernel_gradient(const ConvolutionGeometry& g, const float* x, const float* dy, float* dw, float* dbias, Workers& workers) {
  if (!kernel_gradient_in_parts(g, x, dy, dw, dbias, workers)) table_avx512().convolution_kernel_gradient(g, x, dy, dw, dbias, workers);
}

bool passes_all(const PoolingGeometry& pooling) { return pooling.size[0] * pooling.size[1] * pooling.size[2] == 1; }

// The positions that pooling keeps.
ConvolutionGeometry reached(ConvolutionGeometry g, const PoolingGeometry& pooling) {
  for (int i = 0; i < 3; ++i) g.out[i] = pooling.out[i] * pooling.size[i];
  return g;
}

void block(const ConvolutionGeometry& g, const PoolingGeometry& pooling, const float* x, const float* w, const float* bias, bool relu, float* y,
           uint8_t* winner, Workers& workers) {
  if (passes_all(pooling)) {
    if (forward_in_parts(reached(g, pooling), x, w, bias, relu, y, workers)) return;
  } else if (target::way_of_forward(reached(g, pooling), pooling.size) == Way::stacks &&
             target::split_forward(reached(g, pooling), pooling.size, {x, bias, relu, y, winner}, w, workers)) {
    return;
  }
  table_avx512().block_forward(g, pooling, x, w, bias, relu, y, winner, workers);
}

// What relu let through, in memory of the call.
const float* passed_gradient(const float* y, const float* dy, int64_t count, Workers& workers) {
  constexpr int64_t kPiece = 1 << 16;
  auto* passed = static_cast<float*>(workers.shared(static_cast<size_t>(count) * sizeof(float)));
  workers.run(static_cast<int>(target::divide_up(count, kPiece)), [&](int task) {
    for (int64_t i = task * kPiece; i < target::smaller((task + 1) * kPiece, count); ++i) passed[i] = y[i] > 0 ? dy[i] : 0.0f;
  });
  return passed;
}

// Where pooling leaves a quarter of the gradient or less, the lists of AVX-512 multiply just that.
void block_gradient(const ConvolutionGeometry& g, const PoolingGeometry& pooling, const float* x, const float* w, const uint8_t* winner,
                    const float* y, const float* dy, bool relu, float* dx, float* dw, float* dbias, Workers& workers) {
  const bool splits = target::way_of_kernel_gradient(g) != Way::vectors || (dx && target::way_of_input_gradient(g) != Way::vectors);
  if (!passes_all(pooling) || !dw || !splits)
    return table_avx512().block_gradient(g, pooling, x, w, winner, y, dy, relu, dx, dw, dbias, workers);
  const float* passed = relu ? passed_gradient(y, dy, g.batch * g.out[0] * g.out[1] * g.out[2] * g.out_channels, workers) : dy;
  if (dx) input_gradient(g, passed, w, dx, workers);
  kernel_gradient(g, x, passed, dw, dbias, workers);
}

}  // namespace

const KernelTable& table_amx() {
  static const KernelTable table = [] {
    KernelTable with_tiles = table_avx512();
    with_tiles.convolution_forward = forward;
    with_tiles.convolution_input_gradient = input_gradient;
    with_tiles.convolution_kernel_gradient = kernel_gradient;
    with_tiles.block_forward = block;
    with_tiles.block_gradient = block_gradient;
    return with_tiles;
  }();
  return table;
}

}  // namespace convista
