// Compiled once for each instruction set, with -DCONVISTA_TARGET=portable|avx2|avx512.
#include "kernels.h"

#include "block.h"
#include "block_gradient.h"
#include "convolution.h"
#include "normalization.h"
#include "pooling.h"

#define CONVISTA_JOIN_(a, b) a##b
#define CONVISTA_JOIN(a, b) CONVISTA_JOIN_(a, b)

namespace convista {

const KernelTable& CONVISTA_JOIN(table_, CONVISTA_TARGET)() {
  namespace target = CONVISTA_TARGET;
  static constexpr KernelTable table = {
      target::convolution_forward,
      target::convolution_input_gradient,
      target::convolution_kernel_gradient,
      target::block_forward,
      target::block_gradient<float>,
      target::max_pooling_forward<float, uint8_t>,
      target::max_pooling_forward<float, int32_t>,
      target::max_pooling_gradient<float, uint8_t>,
      target::max_pooling_gradient<float, int32_t>,
      target::sum_pooling_forward<float>,
      target::sum_pooling_gradient<float>,
      target::normalization_forward,
      target::normalization_gradient,
  };
  return table;
}

}  // namespace convista
