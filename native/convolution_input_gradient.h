// dx: a gather of dy with flipped, transposed filters, one per residue class of the stride.
#pragma once
#include "depthwise.h"
#include "gather_kernel.h"
#include "gather_narrow.h"
#include "residue_classes.h"

namespace convista::CONVISTA_TARGET {

// One tap of one group: w is (input channel, output channel), packed rows are output channels.
inline void pack_transposed_tap(const float* weights, int64_t row_stride, int64_t channels, int64_t rows, const Blocks& blocks,
                                int64_t first_row, float* packed) {
  for (int64_t vector = 0; vector < blocks.vectors; ++vector) {
    const int64_t block = vector / kVectors, width = blocks.width(block) * kWidth;
    const int64_t start = vector * kWidth, live = smaller(kWidth, channels - start);
    float* to = packed + blocks.start(block) + first_row * width + vector % kVectors * kWidth;
    for (int64_t row = 0; row < rows; ++row, to += width) {
      for (int64_t i = 0; i < live; ++i) to[i] = weights[(start + i) * row_stride + row];
      for (int64_t i = live; i < kWidth; ++i) to[i] = 0.0f;
    }
  }
}

// The same for few input channels: one row of packed weights per input channel.
inline void pack_narrow_tap(const float* weights, int64_t row_stride, int64_t channels, int64_t rows, int64_t packed_row, float* packed) {
  for (int64_t channel = 0; channel < channels; ++channel)
    std::memcpy(packed + channel * packed_row, weights + channel * row_stride, static_cast<size_t>(rows) * sizeof(float));
}

inline int64_t packed_weights(const Gather& gather) {
  return is_narrow(gather) ? narrow_weights(gather) : gather.groups * blocks_of(gather).size();
}

inline void convolution_input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  if (is_depthwise(g)) return depthwise_input_gradient(g, dy, w, dx, workers);
  const int64_t classes = residue_classes(g);
  GatherJob* jobs = place_classes(g, packed_weights, workers);
  const int64_t channels = g.in_channels / g.groups, rows = g.out_channels / g.groups;
  int64_t tasks = 0;
  for (int64_t i = 0; i < classes; ++i) {
    jobs[i].first_task = tasks;
    tasks += jobs[i].gather.taps() * g.groups;
  }
  workers.run(static_cast<int>(tasks), [&](int task) {
    const GatherJob& job = job_of(jobs, classes, task);
    const int64_t taps = job.gather.taps(), tap = (task - job.first_task) % taps, group = (task - job.first_task) / taps;
    const float* from = w + kernel_element(job.gather, g.kernel, tap) * channels * g.out_channels + group * rows;
    if (is_narrow(job.gather)) {
      const int64_t row = narrow_row(job.gather);
      return pack_narrow_tap(from, g.out_channels, channels, rows, row, job.packed + group * channels * row + tap * rows);
    }
    const Blocks blocks = blocks_of(job.gather);
    pack_transposed_tap(from, g.out_channels, channels, rows, blocks, tap * rows, job.packed + group * blocks.size());
  });
  tasks = 0;
  for (int64_t i = 0; i < classes; ++i) {
    is_narrow(jobs[i].gather) ? plan_narrow_job(jobs[i], tasks) : plan_job(jobs[i], tasks);
    tasks += jobs[i].tasks;
  }
  const GatherCall call{dy, nullptr, false, dx};
  workers.run(static_cast<int>(tasks), [&](int task) {
    const GatherJob& job = job_of(jobs, classes, task);
    is_narrow(job.gather) ? narrow_task(job, call, task - job.first_task, workers) : gather_task(job, call, task - job.first_task, workers);
  });
}

}  // namespace convista::CONVISTA_TARGET
