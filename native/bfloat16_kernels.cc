// Compiled once for each instruction set, with -DCONVISTA_TARGET=portable|avx2|avx512|avx512_bf16|amx.
#include "bfloat16_block.h"
#include "bfloat16_convolution.h"
#include "kernels.h"
#include "pooling.h"

#define CONVISTA_JOIN_(a, b) a##b
#define CONVISTA_JOIN(a, b) CONVISTA_JOIN_(a, b)

namespace convista {

const Bfloat16Table& CONVISTA_JOIN(bfloat16_table_, CONVISTA_TARGET)() {
  namespace target = CONVISTA_TARGET;
  static constexpr Bfloat16Table table = {
      target::convolution_forward,
      target::convolution_input_gradient,
      target::convolution_kernel_gradient,
      target::block_forward,
      target::block_gradient<Bfloat16>,
      target::max_pooling_forward<Bfloat16, uint8_t>,
      target::max_pooling_forward<Bfloat16, int32_t>,
      target::max_pooling_gradient<Bfloat16, uint8_t>,
      target::max_pooling_gradient<Bfloat16, int32_t>,
      target::sum_pooling_forward<Bfloat16>,
      target::sum_pooling_gradient<Bfloat16>,
  };
  return table;
}

}  // namespace convista
