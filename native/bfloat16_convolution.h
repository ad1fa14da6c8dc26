// Convolution of bfloat16 pictures and its gradients: weights come in float32 and are rounded, sums are float32.
#pragma once
#include "bfloat16_gather.h"
#include "bfloat16_kernel_gradient.h"
#include "depthwise.h"
#include "gather_kernel.h"

namespace convista::CONVISTA_TARGET {

// Depthwise convolution has no sums over channels to put into tiles: it runs in float32, between two conversions.
constexpr int64_t kConverted = 1 << 16;

template <typename From, typename To>
void convert(const From* from, int64_t count, To* to, Workers& workers) {
  workers.run(static_cast<int>(divide_up(count, kConverted)), [&](int task) {
    const int64_t first = task * kConverted;
    copy_row(from + first, smaller(kConverted, count - first), to + first);
  });
}

inline int64_t numbers_in(int64_t batch, const int64_t size[3], int64_t channels) { return batch * size[0] * size[1] * size[2] * channels; }

// Source, target and kernel in float32; the kernel rounded to bfloat16.
struct FloatArrays {
  int64_t sources, targets, weights;
  float *source, *target, *kernel;
  FloatArrays(const ConvolutionGeometry& g, Workers& workers)
      : sources(numbers_in(g.batch, g.in, g.in_channels)), targets(numbers_in(g.batch, g.out, g.out_channels)),
        weights(numbers_in(1, g.kernel, g.in_channels / g.groups * g.out_channels)) {
    Layout size;
    size.take<float>(sources), size.take<float>(targets), size.take<float>(weights);
    Layout memory(workers.shared(size.bytes()));
    source = memory.take<float>(sources);
    target = memory.take<float>(targets);
    kernel = memory.take<float>(weights);
  }
  void round_kernel(const float* w) {
    for (int64_t i = 0; i < weights; ++i) kernel[i] = widened({narrowed(w[i])});
  }
};

inline Segment* segment_memory(const Gather& gather, Workers& workers) {
  return static_cast<Segment*>(workers.shared(static_cast<size_t>(segments_needed(gather)) * sizeof(Segment)));
}

inline void convolution_forward(const ConvolutionGeometry& g, const Bfloat16* x, const float* w, const float* bias, bool relu, Bfloat16* y,
                                Workers& workers) {
  if (is_depthwise(g)) {
    FloatArrays arrays(g, workers);
    arrays.round_kernel(w);
    convert(x, arrays.sources, arrays.source, workers);
    depthwise_forward(g, arrays.source, arrays.kernel, bias, relu, arrays.target, workers);
    return convert(arrays.target, arrays.targets, y, workers);
  }
  Bfloat16Job job{forward_gather(g), nullptr, 0, 0, 0, 0};
  place_segments(job.gather, segment_memory(job.gather, workers));
  job.packed = static_cast<Bfloat16*>(workers.shared(static_cast<size_t>(g.groups * job.group_size()) * sizeof(Bfloat16)));
  workers.run(static_cast<int>(g.groups * job.column_tiles()), [&](int task) { pack_forward(job, w, task); });
  plan_job(job, 0);
  const Bfloat16Call<Bfloat16> call{x, bias, relu, y};
  workers.run(static_cast<int>(job.tasks), [&](int task) { gather_task(job, call, task, workers); });
}

inline void convolution_input_gradient(const ConvolutionGeometry& g, const Bfloat16* dy, const float* w, Bfloat16* dx, Workers& workers) {
  if (is_depthwise(g)) {
    FloatArrays arrays(g, workers);
    arrays.round_kernel(w);
    convert(dy, arrays.targets, arrays.target, workers);
    depthwise_input_gradient(g, arrays.target, arrays.kernel, arrays.source, workers);
    return convert(arrays.source, arrays.sources, dx, workers);
  }
  const int64_t classes = residue_classes(g);
  int64_t weights = 0;
  for (int64_t i = 0; i < classes; ++i) {
    const Bfloat16Job job{class_gather(g, i), nullptr, 0, 0, 0, 0};
    weights = larger(weights, g.groups * job.group_size());
  }
  auto* packed = static_cast<Bfloat16*>(workers.shared(static_cast<size_t>(larger(weights, 1)) * sizeof(Bfloat16)));
  const Bfloat16Call<Bfloat16> call{dy, nullptr, false, dx};
  for (int64_t i = 0; i < classes; ++i) {  // one after the other: each is a whole picture's worth of work
    Bfloat16Job job{class_gather(g, i), packed, 0, 0, 0, 0};
    if (job.gather.positions() == 0) continue;
    place_segments(job.gather, segment_memory(job.gather, workers));
    workers.run(static_cast<int>(g.groups * job.column_tiles()), [&](int task) { pack_transposed(job, g.kernel, w, task); });
    plan_job(job, 0);
    workers.run(static_cast<int>(job.tasks), [&](int task) { gather_task(job, call, task, workers); });
  }
}

inline void convolution_kernel_gradient(const ConvolutionGeometry& g, const Bfloat16* x, const Bfloat16* dy, float* dw, float* dbias,
                                        Workers& workers) {
  if (is_depthwise(g)) {
    FloatArrays arrays(g, workers);
    convert(x, arrays.sources, arrays.source, workers);
    convert(dy, arrays.targets, arrays.target, workers);
    return depthwise_kernel_gradient(g, arrays.source, arrays.target, dw, dbias, workers);
  }
  Bfloat16GradientPlan plan = plan_bfloat16_gradient(g);
  Layout size;
  size.take<float>(plan.slices * plan.slice_size());
  size.take<float>(plan.slices * plan.bias_size());
  Layout memory(workers.shared(size.bytes()));
  plan.sums = memory.take<float>(plan.slices * plan.slice_size());
  plan.bias_sums = dbias ? memory.take<float>(plan.slices * plan.bias_size()) : nullptr;
  place_segments(plan.gather, segment_memory(plan.gather, workers));
  workers.run(static_cast<int>(plan.slices * g.groups * plan.parts),
              [&](int task) { bfloat16_gradient_task(plan, x, dy, task, workers); });
  const int64_t tiles = plan.row_tiles();
  workers.run(static_cast<int>(g.groups * tiles), [&](int task) {
    for (int64_t first = 0; first < plan.depth(); first += kDepth) finish_bfloat16_gradient(plan, task / tiles, task % tiles, first, dw);
    if (dbias) finish_bfloat16_bias(plan, task / tiles, task % tiles, dbias);
  });
}

}  // namespace convista::CONVISTA_TARGET
