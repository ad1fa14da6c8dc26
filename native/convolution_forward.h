// y = relu(convolution(x, w) + bias).
#pragma once
#include "depthwise.h"
#include "gather_kernel.h"
#include "gather_narrow.h"
#include "memory.h"

namespace convista::CONVISTA_TARGET {

// One tap of one group: rows of `channels` weights into every block.
inline void pack_tap(const float* weights, int64_t row_stride, int64_t channels, int64_t rows, const Blocks& blocks, int64_t first_row,
                     float* packed) {
  for (int64_t block = 0; block < blocks.count(); ++block) {
    const int64_t width = blocks.width(block) * kWidth, start = block * kVectors * kWidth, live = smaller(width, channels - start);
    float* to = packed + blocks.start(block) + first_row * width;
    for (int64_t row = 0; row < rows; ++row, to += width) {
      std::memcpy(to, weights + row * row_stride + start, static_cast<size_t>(live) * sizeof(float));
      for (int64_t i = live; i < width; ++i) to[i] = 0.0f;
    }
  }
}

// With few output channels; those of a group lie together in a row of w.
inline void narrow_forward(const ConvolutionGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y, Workers& workers) {
  GatherJob job{forward_gather(g), {}, nullptr, 1, 0, 0};
  Layout size;
  take_class_memory(job.gather, narrow_weights(job.gather), size, nullptr);
  Layout memory(workers.shared(size.bytes()));
  take_class_memory(job.gather, narrow_weights(job.gather), memory, &job);
  const int64_t rows = job.gather.rows();
  for (int64_t channel = 0; channel < g.out_channels; ++channel) {
    float* to = job.packed + channel * narrow_row(job.gather);
    for (int64_t row = 0; row < rows; ++row) to[row] = w[row * g.out_channels + channel];
  }
  plan_narrow_job(job, 0);
  const GatherCall call{x, bias, relu, y};
  workers.run(static_cast<int>(job.tasks), [&](int task) { narrow_task(job, call, task, workers); });
}

inline void convolution_forward(const ConvolutionGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y,
                                Workers& workers) {
  if (is_depthwise(g)) return depthwise_forward(g, x, w, bias, relu, y, workers);
  GatherJob job{forward_gather(g), {}, nullptr, 1, 0, 0};
  const Gather& gather = job.gather;
  if (is_narrow(gather)) return narrow_forward(g, x, w, bias, relu, y, workers);
  const Blocks blocks = blocks_of(gather);
  const bool own = packs_own_weights(gather);
  own ? plan_own_job(job, 0) : plan_job(job, 0);
  Layout size;
  size.take<Segment>(segments_needed(gather));
  size.take<float>(own ? 0 : g.groups * blocks.size());
  Layout memory(workers.shared(size.bytes()));
  place_segments(job.gather, memory.take<Segment>(segments_needed(gather)));
  job.packed = memory.take<float>(own ? 0 : g.groups * blocks.size());

  const int64_t taps = gather.taps(), channels = gather.group_sources(), targets = gather.group_targets();
  const GatherCall call{x, bias, relu, y};
  if (own) {
    workers.run(static_cast<int>(job.tasks), [&](int task) {
      gather_own_block(job, call, task, [&](int64_t group, int64_t first, const Blocks& block, float* packed) {
        for (int64_t tap = 0; tap < taps; ++tap)
          pack_tap(w + tap * channels * g.out_channels + group * targets + first, g.out_channels, smaller(targets - first, kVectors * kWidth),
                   channels, block, tap * channels, packed);
      }, workers);
    });
    return;
  }
  workers.run(static_cast<int>(taps * g.groups), [&](int task) {
    const int64_t tap = task % taps, group = task / taps;
    pack_tap(w + tap * channels * g.out_channels + group * targets, g.out_channels, targets, channels, blocks, tap * channels,
             job.packed + group * blocks.size());
  });
  workers.run(static_cast<int>(job.tasks), [&](int task) { gather_task(job, call, task, workers); });
}

}  // namespace convista::CONVISTA_TARGET
