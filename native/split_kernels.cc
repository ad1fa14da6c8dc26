// Kernels of float32 for processors with bfloat16 tiles: those of AVX-512 but for convolutions that are faster in parts. Compiled with
// -DCONVISTA_TARGET=amx.
#include "kernels.h"
#include "split_convolution.h"

namespace convista {
namespace {

namespace target = CONVISTA_TARGET;

void forward(const ConvolutionGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y, Workers& workers) {
  if (target::splits_forward(g) && target::split_forward(g, target::kNoWindow, {x, bias, relu, y, nullptr}, w, workers)) return;
  table_avx512().convolution_forward(g, x, w, bias, relu, y, workers);
}

void input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  if (target::splits_input_gradient(g) && target::split_input_gradient(g, dy, w, dx, workers)) return;
  table_avx512().convolution_input_gradient(g, dy, w, dx, workers);
}

void kernel_gradient(const ConvolutionGeometry& g, const float* x, const float* dy, float* dw, float* dbias, Workers& workers) {
  if (target::splits_kernel_gradient(g) && target::split_kernel_gradient(g, x, dy, dw, dbias, workers)) return;
  table_avx512().convolution_kernel_gradient(g, x, dy, dw, dbias, workers);
}

void block(const ConvolutionGeometry& g, const PoolingGeometry& pooling, const float* x, const float* w, const float* bias, bool relu, float* y,
           uint8_t* winner, Workers& workers) {
  ConvolutionGeometry reached = g;
  for (int i = 0; i < 3; ++i) reached.out[i] = pooling.out[i] * pooling.size[i];
  if (target::splits_forward(reached) && target::split_forward(reached, pooling.size, {x, bias, relu, y, winner}, w, workers)) return;
  table_avx512().block_forward(g, pooling, x, w, bias, relu, y, winner, workers);
}

bool passes_all(const PoolingGeometry& pooling) { return pooling.size[0] * pooling.size[1] * pooling.size[2] == 1; }

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
  const bool splits = target::splits_kernel_gradient(g) || (dx && target::splits_input_gradient(g));
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
