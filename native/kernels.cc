// Compiled once for each instruction set, with -DCONVISTA_TARGET=portable|avx2|avx512.
#include "kernels.h"

#include "block.h"
#include "block_gradient.h"
#include "convolution.h"
#include "pooling.h"

#define CONVISTA_JOIN_(a, b) a##b
#define CONVISTA_JOIN(a, b) CONVISTA_JOIN_(a, b)
#define CONVISTA_TEXT_(a) #a
#define CONVISTA_TEXT(a) CONVISTA_TEXT_(a)

namespace convista {

const KernelTable& CONVISTA_JOIN(table_, CONVISTA_TARGET)() {
  namespace target = CONVISTA_TARGET;
  static constexpr KernelTable table = {
      CONVISTA_TEXT(CONVISTA_TARGET),
      target::convolution_forward,
      target::convolution_input_gradient,
      target::convolution_kernel_gradient,
      target::block_forward,
      target::block_gradient,
      target::max_pooling_forward<uint8_t>,
      target::max_pooling_forward<int32_t>,
      target::max_pooling_gradient<uint8_t>,
      target::max_pooling_gradient<int32_t>,
      target::sum_pooling_forward,
      target::sum_pooling_gradient,
  };
  return table;
}

}  // namespace convista
