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

}  // namespace

const KernelTable& table_amx() {
  static const KernelTable table = [] {
    KernelTable with_tiles = table_avx512();
    with_tiles.convolution_forward = forward;
    with_tiles.convolution_input_gradient = input_gradient;
    with_tiles.convolution_kernel_gradient = kernel_gradient;
    with_tiles.block_forward = block;
    return with_tiles;
  }();
  return table;
}

}  // namespace convista
