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
    for (int64_t row = 0; row < rows; row += kWidth, to += kWidth * width) {
      const int lanes = static_cast<int>(smaller(kWidth, rows - row));
      Vector columns[kWidth];
      for (int64_t i = 0; i < kWidth; ++i)
        columns[i] = i < live ? load_lanes(weights + (start + i) * row_stride + row, lanes) : Vector{};
      transpose(columns);
      for (int i = 0; i < lanes; ++i) store(to + i * width, columns[i]);
    }
  }
}

// The same for few input channels: one row of packed weights per input channel.
inline void pack_narrow_tap(const float* weights, int64_t row_stride, int64_t channels, int64_t rows, int64_t packed_row, float* packed) {
  for (int64_t channel = 0; channel < channels; ++channel)
    std::memcpy(packed + channel * packed_row, weights + channel * row_stride, static_cast<size_t>(rows) * sizeof(float));
}

enum class Way { narrow, own_weights, shared_weights };

inline Way way_of(const Gather& gather) {
  if (is_narrow(gather)) return Way::narrow;
  return packs_own_weights(gather) ? Way::own_weights : Way::shared_weights;
}

inline int64_t shared_weights(const Gather& gather) {
  const Way way = way_of(gather);
  if (way == Way::narrow) return narrow_weights(gather);
  return way == Way::own_weights ? 0 : gather.groups * blocks_of(gather).size();
}

// What packing needs to know of w.
struct TransposedWeights {
  const float* w;
  const int64_t* kernel;
  int64_t row_stride, channels, rows;  // output channels of all groups, input and output channels of one group

  const float* tap(const Gather& gather, int64_t group, int64_t number) const {
    return w + kernel_element(gather, kernel, number) * channels * row_stride + group * rows;
  }
};

inline void pack_shared_weights(const GatherJob& job, const TransposedWeights& weights, int64_t task) {
  const int64_t tap = task % job.gather.taps(), group = task / job.gather.taps();
  const float* from = weights.tap(job.gather, group, tap);
  const Way way = way_of(job.gather);
  if (way == Way::narrow) {
    const int64_t row = narrow_row(job.gather);
    pack_narrow_tap(from, weights.row_stride, weights.channels, weights.rows, row,
                    job.packed + group * weights.channels * row + tap * weights.rows);
  } else if (way == Way::shared_weights) {
    const Blocks blocks = blocks_of(job.gather);
    pack_transposed_tap(from, weights.row_stride, weights.channels, weights.rows, blocks, tap * weights.rows,
                        job.packed + group * blocks.size());
  }
}

inline void plan_by_way(GatherJob& job, int64_t first_task) {
  const Way way = way_of(job.gather);
  if (way == Way::narrow) return plan_narrow_job(job, first_task);
  way == Way::own_weights ? plan_own_job(job, first_task) : plan_job(job, first_task);
}

inline void input_gradient_task(const GatherJob& job, const GatherCall& call, const TransposedWeights& weights, int64_t task, Workers& workers) {
  const Way way = way_of(job.gather);
  if (way == Way::narrow) return narrow_task(job, call, task, workers);
  if (way == Way::shared_weights) return gather_task(job, call, task, workers);
  gather_own_block(job, call, task, [&](int64_t group, int64_t first, const Blocks& block, float* packed) {
    for (int64_t tap = 0; tap < job.gather.taps(); ++tap)
      pack_transposed_tap(weights.tap(job.gather, group, tap) + first * weights.row_stride, weights.row_stride,
                          smaller(weights.channels - first, kVectors * kWidth), weights.rows, block, tap * weights.rows, packed);
  }, workers);
}

inline void convolution_input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  if (is_depthwise(g)) return depthwise_input_gradient(g, dy, w, dx, workers);
  const int64_t classes = residue_classes(g);
  GatherJob* jobs = place_classes(g, shared_weights, workers);
  const TransposedWeights weights{w, g.kernel, g.out_channels, g.in_channels / g.groups, g.out_channels / g.groups};
  int64_t tasks = 0;
  for (int64_t i = 0; i < classes; ++i) {
    jobs[i].first_task = tasks;
    tasks += jobs[i].gather.taps() * g.groups;
  }
  workers.run(static_cast<int>(tasks), [&](int task) {
    const GatherJob& job = job_of(jobs, classes, task);
    pack_shared_weights(job, weights, task - job.first_task);
  });
  tasks = 0;
  for (int64_t i = 0; i < classes; ++i) {
    plan_by_way(jobs[i], tasks);
    tasks += jobs[i].tasks;
  }
  const GatherCall call{dy, nullptr, false, dx};
  workers.run(static_cast<int>(tasks), [&](int task) {
    const GatherJob& job = job_of(jobs, classes, task);
    input_gradient_task(job, call, weights, task - job.first_task, workers);
  });
}

}  // namespace convista::CONVISTA_TARGET
