// The kernels of one instruction set, as a table of function pointers.
#pragma once
#include <cstdint>

#include "geometry.h"
#include "workers.h"

namespace convista {

struct KernelTable {
  const char* name;
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
};

const KernelTable& table_portable();
#ifdef CONVISTA_X86
const KernelTable& table_avx2();
const KernelTable& table_avx512();
#endif

// The table in use: the best one that the processor has, or what choose() set.
const KernelTable& chosen();

// Returns whether this library has the kernels of that name and this processor can run them; uses them if so.
bool choose(const char* name);

// Whether this processor can run the kernels of that name.
bool runs(const char* name);

}  // namespace convista
