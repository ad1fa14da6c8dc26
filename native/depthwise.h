// Depthwise convolution: every channel is its own group.
#pragma once
#include "gather.h"

namespace convista::CONVISTA_TARGET {
inline bool is_depthwise(const ConvolutionGeometry&) { return false; }
inline void depthwise_forward(const ConvolutionGeometry&, const float*, const float*, const float*, bool, float*, Workers&) {}
inline void depthwise_input_gradient(const ConvolutionGeometry&, const float*, const float*, float*, Workers&) {}
inline void depthwise_kernel_gradient(const ConvolutionGeometry&, const float*, const float*, float*, float*, Workers&) {}
}  // namespace convista::CONVISTA_TARGET
