// Channels-last convolution in float32: x (batch, in…, in_channels), w (kernel…, in_channels / groups, out_channels),
// y (batch, out…, out_channels). Sizes and pointers are trusted: the binding checks them.
#pragma once
#include "convolution_forward.h"
#include "convolution_input_gradient.h"
#include "convolution_kernel_gradient.h"
