// Whether the sizes and steps that a caller names fit together. Nothing is computed before this has said yes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "geometry.h"

namespace convista {

struct Sizes {
  const int64_t* values;
  std::size_t count;
};

// One entry for each spatial axis.
struct Steps {
  Sizes strides, before, after, dilation;
};

// Fills the geometry and returns an empty string, or says in one clause what is wrong. Buffers exist, so the product of a
// buffer's sizes does not overflow unless it is zero; every other number is limited here so that sums and products of
// two of them stay far below 2⁶³.
std::string check_convolution(Sizes x, Sizes w, Sizes y, Steps steps, int64_t groups, ConvolutionGeometry& geometry);
std::string check_pooling(Sizes x, Sizes y, Sizes window, Steps steps, PoolingGeometry& geometry);

// A convolution whose positions are tiled by windows of at most 256 cells; `y` is what the windows give.
std::string check_block(Sizes x, Sizes w, Sizes y, Steps steps, int64_t groups, Sizes window, ConvolutionGeometry& convolution,
                        PoolingGeometry& pooling);

// An input of any rank with its channels last, buffers shaped alike, buffers of one number a channel, and one weight a picture.
std::string check_normalization(Sizes x, std::initializer_list<Sizes> alike, std::initializer_list<Sizes> of_channels, Sizes mask,
                                NormalizationGeometry& geometry);

}  // namespace convista
