// The gradient by the input of a strided convolution is one gather per residue class of the stride: input positions of one
// class meet the same kernel elements. Each class is a job, and all jobs share one list of tasks.
#pragma once
#include "gather.h"
#include "memory.h"

namespace convista::CONVISTA_TARGET {

// One gather with its packed weights and its place in the list of tasks.
struct GatherJob {
  Gather gather;
  Units units;
  float* packed;
  int64_t block_parts;  // 1: a task does all blocks of target channels; otherwise one block of one group
  int64_t first_task, tasks;
};

inline int64_t residue_classes(const ConvolutionGeometry& g) { return g.stride[0] * g.stride[1] * g.stride[2]; }

inline Gather class_gather(const ConvolutionGeometry& g, int64_t number) {
  const int64_t residue[3] = {number / (g.stride[1] * g.stride[2]), number / g.stride[2] % g.stride[1], number % g.stride[2]};
  return input_gradient_gather(g, residue);
}

inline void take_class_memory(const Gather& gather, int64_t weights, Layout& memory, GatherJob* job) {
  auto* segments = memory.take<Segment>(segments_needed(gather));
  auto* packed = memory.take<float>(weights);
  if (!job) return;
  job->gather = gather;
  place_segments(job->gather, segments);
  job->packed = packed;
}

// The job that a task belongs to: `first_task` ascends.
inline const GatherJob& job_of(const GatherJob* jobs, int64_t count, int64_t task) {
  int64_t low = 0;
  for (int64_t high = count; high - low > 1;) {
    const int64_t middle = (low + high) / 2;
    (jobs[middle].first_task <= task ? low : high) = middle;
  }
  return jobs[low];
}

// One job per class; `weights(gather)` floats are set aside for its packed weights, and `extra` floats behind everything.
template <typename Weights>
GatherJob* place_classes(const ConvolutionGeometry& g, const Weights& weights, Workers& workers, int64_t extra = 0, float** behind = nullptr) {
  const int64_t classes = residue_classes(g);
  Layout size;
  size.take<GatherJob>(classes);
  for (int64_t i = 0; i < classes; ++i) {
    const Gather gather = class_gather(g, i);
    take_class_memory(gather, weights(gather), size, nullptr);
  }
  size.take<float>(extra);
  Layout memory(workers.shared(size.bytes()));
  auto* jobs = memory.take<GatherJob>(classes);
  for (int64_t i = 0; i < classes; ++i) {
    const Gather gather = class_gather(g, i);
    take_class_memory(gather, weights(gather), memory, jobs + i);
  }
  if (behind) *behind = memory.take<float>(extra);
  return jobs;
}

}  // namespace convista::CONVISTA_TARGET
