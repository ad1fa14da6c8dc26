#pragma once
#include <cstdint>
namespace convista {
// Channels-last convolution with up to three spatial axes; missing axes have size 1, stride 1, dilation 1, padding 0.
struct ConvolutionGeometry {
  int64_t batch, in_channels, out_channels, groups;
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], before[3];  // before: zeros in front of each axis
};
// Rows of channels: `positions` of each picture.
struct NormalizationGeometry {
  int64_t batch, positions, channels;
};
struct PoolingGeometry {
  int64_t batch, channels;
  int64_t in[3], out[3], size[3], stride[3], before[3];
};
}
