// The kernels of one instruction set, as a table of function pointers.
#pragma once
#include <cstdint>

#include "bfloat16.h"
#include "geometry.h"
#include "workers.h"

namespace convista {

struct KernelTable {
  void (*convolution_forward)(const ConvolutionGeometry&, const float* x, const float* w, const float* bias, bool relu,
                              float* y, Workers&);
  void (*convolution_input_gradient)(const ConvolutionGeometry&, const float* dy, const float* w, float* dx, Workers&);
  void (*convolution_kernel_gradient)(const ConvolutionGeometry&, const float* x, const float* dy, float* dw,
                                      float* dbias, Workers&);
  void (*block_forward)(const ConvolutionGeometry&, const PoolingGeometry&, const float* x, const float* w, const float* bias,
                        bool relu, float* y, uint8_t* winner, Workers&);
  void (*block_gradient)(const ConvolutionGeometry&, const PoolingGeometry&, const float* x, const float* w,
                         const uint8_t* winner, const float* y, const float* dy, bool relu, float* dx, float* dw,
                         float* dbias, Workers&);
  void (*max_pooling_forward_small)(const PoolingGeometry&, const float* x, float* y, uint8_t* index, Workers&);
  void (*max_pooling_forward_large)(const PoolingGeometry&, const float* x, float* y, int32_t* index, Workers&);
  void (*max_pooling_gradient_small)(const PoolingGeometry&, const float* dy, const uint8_t* index, float* dx, Workers&);
  void (*max_pooling_gradient_large)(const PoolingGeometry&, const float* dy, const int32_t* index, float* dx, Workers&);
  void (*sum_pooling_forward)(const PoolingGeometry&, const float* x, bool mean, float* y, Workers&);
  void (*sum_pooling_gradient)(const PoolingGeometry&, const float* dy, bool mean, float* dx, Workers&);
  void (*normalization_forward)(const NormalizationGeometry&, const float* x, const float* scale, const float* offset,
                                const float* mask, float epsilon, bool relu, float* y, float* mean, float* variance, Workers&);
  void (*normalization_gradient)(const NormalizationGeometry&, const float* dy, const float* x, const float* scale,
                                 const float* offset, const float* mean, const float* variance, const float* mask,
                                 float epsilon, bool relu, float* dx, float* dscale, float* doffset, Workers&);
};

// Kernels in float32 are weights, their gradients and biases; products are rounded to bfloat16 and added in float32.
struct Bfloat16Table {
  void (*convolution_forward)(const ConvolutionGeometry&, const Bfloat16* x, const float* w, const float* bias, bool relu,
                              Bfloat16* y, Workers&);
  void (*convolution_input_gradient)(const ConvolutionGeometry&, const Bfloat16* dy, const float* w, Bfloat16* dx, Workers&);
  void (*convolution_kernel_gradient)(const ConvolutionGeometry&, const Bfloat16* x, const Bfloat16* dy, float* dw,
                                      float* dbias, Workers&);
  void (*block_forward)(const ConvolutionGeometry&, const PoolingGeometry&, const Bfloat16* x, const float* w, const float* bias,
                        bool relu, Bfloat16* y, uint8_t* winner, Workers&);
  void (*block_gradient)(const ConvolutionGeometry&, const PoolingGeometry&, const Bfloat16* x, const float* w,
                         const uint8_t* winner, const Bfloat16* y, const Bfloat16* dy, bool relu, Bfloat16* dx, float* dw,
                         float* dbias, Workers&);
  void (*max_pooling_forward_small)(const PoolingGeometry&, const Bfloat16* x, Bfloat16* y, uint8_t* index, Workers&);
  void (*max_pooling_forward_large)(const PoolingGeometry&, const Bfloat16* x, Bfloat16* y, int32_t* index, Workers&);
  void (*max_pooling_gradient_small)(const PoolingGeometry&, const Bfloat16* dy, const uint8_t* index, Bfloat16* dx, Workers&);
  void (*max_pooling_gradient_large)(const PoolingGeometry&, const Bfloat16* dy, const int32_t* index, Bfloat16* dx, Workers&);
  void (*sum_pooling_forward)(const PoolingGeometry&, const Bfloat16* x, bool mean, Bfloat16* y, Workers&);
  void (*sum_pooling_gradient)(const PoolingGeometry&, const Bfloat16* dy, bool mean, Bfloat16* dx, Workers&);
};

const KernelTable& table_portable();
const Bfloat16Table& bfloat16_table_portable();
#ifdef CONVISTA_X86
const KernelTable& table_avx2();
const Bfloat16Table& bfloat16_table_avx2();
const KernelTable& table_avx512();
const Bfloat16Table& bfloat16_table_avx512();
#endif
#ifdef CONVISTA_AVX512_BF16
const Bfloat16Table& bfloat16_table_avx512_bf16();
#endif
#ifdef CONVISTA_AMX
const KernelTable& table_amx();
const Bfloat16Table& bfloat16_table_amx();
#endif

// The tables in use: the best ones that the processor has, or what choose() set.
const KernelTable& chosen();
const Bfloat16Table& chosen_bfloat16();
const char* chosen_name();

// Returns whether this library has the kernels of that name and this processor can run them; uses them if so.
bool choose(const char* name);

// Whether this processor can run the kernels of that name.
bool runs(const char* name);

}  // namespace convista
