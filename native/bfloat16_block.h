// Blocks of bfloat16 pictures: sums stay float32 until the largest of a window is rounded, once, with its bias.
#pragma once
#include "bfloat16_convolution.h"
#include "block.h"
#include "block_gradient.h"

namespace convista::CONVISTA_TARGET {

inline void block_forward_task(const BlockPart& part, Bfloat16* packed, const Bfloat16* x, const float* bias, bool relu, Bfloat16* y,
                               uint8_t* winner, Workers& workers) {
  Bfloat16Job job{forward_gather(part.g), packed, 0, 0, 0, 0};
  place_segments(job.gather, static_cast<Segment*>(workers.scratch(3, segments_needed(job.gather) * sizeof(Segment))));
  plan_job(job, 0);
  auto* sums = static_cast<float*>(workers.scratch(2, static_cast<size_t>(part.sums()) * sizeof(float)));
  const Bfloat16Call<float> call{x + part.source, nullptr, false, sums};
  for (int64_t task = 0; task < job.tasks; ++task) gather_task(job, call, task, workers);
  pool_block(part.pooling, sums, bias, relu, y + part.target, winner ? winner + part.target : nullptr);
}

inline void block_forward(const ConvolutionGeometry& given, const PoolingGeometry& pooling, const Bfloat16* x, const float* w,
                          const float* bias, bool relu, Bfloat16* y, uint8_t* winner, Workers& workers) {
  const ConvolutionGeometry g = reached(given, pooling);
  if (volume_of(pooling.size) == 1) return convolution_forward(g, x, w, bias, relu, y, workers);
  if (is_depthwise(g)) {
    FloatArrays arrays(g, workers);
    arrays.round_kernel(w);
    convert(x, arrays.sources, arrays.source, workers);
    depthwise_forward(g, arrays.source, arrays.kernel, nullptr, false, arrays.target, workers);
    return pool_pictures(g, pooling, arrays.target, bias, relu, y, winner, workers);
  }
  Bfloat16Job job{forward_gather(g), nullptr, 0, 0, 0, 0};
  job.packed = static_cast<Bfloat16*>(workers.shared(static_cast<size_t>(g.groups * job.group_size()) * sizeof(Bfloat16)));
  workers.run(static_cast<int>(g.groups * job.column_tiles()), [&](int task) { pack_forward(job, w, task); });
  const BlockCut cut = cut_block(g, pooling);
  workers.run(static_cast<int>(cut.groups * cut.bands), [&](int task) {
    block_forward_task(block_part(g, pooling, cut, task), job.packed, x, bias, relu, y, winner, workers);
  });
}

}  // namespace convista::CONVISTA_TARGET
