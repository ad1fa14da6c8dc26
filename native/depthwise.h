// Depthwise convolution: every channel is its own group. Channels are in the vectors, and a position's sum over the taps stays
// in registers. With a depth multiplier, x is first repeated (and dx summed) so that there is one filter per channel.
#pragma once
#include "residue_classes.h"

namespace convista::CONVISTA_TARGET {

inline int64_t depth_multiplier(const ConvolutionGeometry& g) { return g.out_channels / g.in_channels; }

// From half a vector of filters per channel on, the general kernel loses less than the repetition costs.
inline bool is_depthwise(const ConvolutionGeometry& g) {
  return g.groups == g.in_channels && g.groups > 1 && depth_multiplier(g) * 2 <= kWidth;
}

inline ConvolutionGeometry one_filter_per_channel(ConvolutionGeometry g) {
  g.in_channels = g.groups = g.out_channels;
  return g;
}

inline int64_t padded(int64_t channels) { return divide_up(channels, kWidth) * kWidth; }

// Taps × padded channels.
inline int64_t depthwise_weights(const Gather& gather) { return gather.taps() * padded(gather.target_channels); }

inline void pack_depthwise(const Gather& gather, const int64_t kernel[3], const float* w, float* packed) {
  const int64_t channels = gather.target_channels, width = padded(channels);
  for (int64_t tap = 0; tap < gather.taps(); ++tap, packed += width) {
    std::memcpy(packed, w + kernel_element(gather, kernel, tap) * channels, static_cast<size_t>(channels) * sizeof(float));
    for (int64_t i = channels; i < width; ++i) packed[i] = 0.0f;
  }
}

constexpr int kDepthPositions = kManyRegisters ? 6 : 4;
constexpr int kDepthVectors = 2;

struct DepthwiseTile {
  const float* source;
  const int64_t* source_offsets;
  float* target;
  const int64_t* target_offsets;
  const Run *runs, *end;
  const float* weights;
  const float* bias;
  int64_t channels;
  bool relu;
};

template <int Positions, int Vectors>
void depthwise_channels(const DepthwiseTile& tile, const float* const* sources, float* const* targets, int64_t channel, int lanes) {
  const int64_t width = padded(tile.channels);
  Vector sums[Positions][Vectors];
  CONVISTA_UNROLL
  for (int v = 0; v < Vectors; ++v) {
    const Vector start = tile.bias ? load_lanes(tile.bias + channel + v * kWidth, lanes) : Vector{};
    CONVISTA_UNROLL
    for (int p = 0; p < Positions; ++p) sums[p][v] = start;
  }
  for (const Run* run = tile.runs; run < tile.end; ++run) {
    const float* weights = tile.weights + run->row * width + channel;
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Vector weight = load(weights + v * kWidth);
      CONVISTA_UNROLL
      for (int p = 0; p < Positions; ++p) sums[p][v] += load_lanes(sources[p] + run->offset + channel + v * kWidth, lanes) * weight;
    }
  }
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p)
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Vector value = tile.relu ? relu_of(sums[p][v]) : sums[p][v];
      store_lanes(targets[p] + channel + v * kWidth, value, lanes);
    }
}

template <int Positions>
void depthwise_positions(const DepthwiseTile& tile, int64_t position) {
  const float* sources[Positions];
  float* targets[Positions];
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) {
    sources[p] = tile.source + tile.source_offsets[position + p];
    targets[p] = tile.target + tile.target_offsets[position + p];
  }
  int64_t channel = 0;
  for (; channel + kDepthVectors * kWidth <= tile.channels; channel += kDepthVectors * kWidth)
    depthwise_channels<Positions, kDepthVectors>(tile, sources, targets, channel, kWidth);
  for (; channel + kWidth <= tile.channels; channel += kWidth)
    depthwise_channels<Positions, 1>(tile, sources, targets, channel, kWidth);
  if (channel < tile.channels)
    depthwise_channels<Positions, 1>(tile, sources, targets, channel, static_cast<int>(tile.channels - channel));
}

inline void depthwise_task(const GatherJob& job, const float* source, const float* bias, bool relu, float* target, int64_t task,
                           Workers& workers) {
  const Gather& gather = job.gather;
  auto* places = static_cast<int64_t*>(workers.scratch(0, 2 * kMostPositions * sizeof(int64_t)));
  auto* runs = static_cast<Run*>(workers.scratch(1, static_cast<size_t>(runs_needed(gather, 1)) * sizeof(Run)));
  visit_unit(gather, job.units, task, [&](int64_t image, const Box& box, int64_t first, int64_t last) {
    const int64_t run_count = list_runs(gather, box, 1, runs);
    const DepthwiseTile tile{source + image * gather.source_image(), places, target + image * gather.target_image(), places + kMostPositions, runs,
                             runs + run_count, job.packed, bias, gather.target_channels, relu};
    visit_pieces(first, last, kPiece, [&](int64_t from, int64_t to) {
      const int64_t count = to - from;
      list_positions(gather, box, from, to, places, places + kMostPositions);
      int64_t position = 0;
      for (; position + kDepthPositions <= count; position += kDepthPositions) depthwise_positions<kDepthPositions>(tile, position);
      for (; position + 2 <= count; position += 2) depthwise_positions<2>(tile, position);
      if (position < count) depthwise_positions<1>(tile, position);
    });
  });
}

constexpr int64_t kPixelsTogether = 256;

// Every channel `times` times over.
inline void repeat_channels(const float* from, int64_t pixels, int64_t channels, int64_t times, float* to, Workers& workers) {
  workers.run(static_cast<int>(divide_up(pixels, kPixelsTogether)), [&](int task) {
    const int64_t begin = task * kPixelsTogether * channels, end = smaller((task + 1) * kPixelsTogether, pixels) * channels;
    for (int64_t i = begin; i < end; ++i)
      for (int64_t copy = 0; copy < times; ++copy) to[i * times + copy] = from[i];
  });
}

inline void add_repeated_channels(const float* from, int64_t pixels, int64_t channels, int64_t times, float* to, Workers& workers) {
  workers.run(static_cast<int>(divide_up(pixels, kPixelsTogether)), [&](int task) {
    const int64_t begin = task * kPixelsTogether * channels, end = smaller((task + 1) * kPixelsTogether, pixels) * channels;
    for (int64_t i = begin; i < end; ++i) {
      float sum = from[i * times];
      for (int64_t copy = 1; copy < times; ++copy) sum += from[i * times + copy];
      to[i] = sum;
    }
  });
}

inline int64_t input_pixels(const ConvolutionGeometry& g) { return g.batch * g.in[0] * g.in[1] * g.in[2]; }

inline void depthwise_forward(const ConvolutionGeometry& given, const float* x, const float* w, const float* bias, bool relu, float* y,
                              Workers& workers) {
  const ConvolutionGeometry g = one_filter_per_channel(given);
  const int64_t times = depth_multiplier(given), repeated = times > 1 ? input_pixels(g) * g.in_channels : 0;
  GatherJob job{forward_gather(g), {}, nullptr, 1, 0, 0};
  Layout size;
  take_class_memory(job.gather, depthwise_weights(job.gather), size, nullptr);
  size.take<float>(repeated);
  Layout memory(workers.shared(size.bytes()));
  take_class_memory(job.gather, depthwise_weights(job.gather), memory, &job);
  float* wide = memory.take<float>(repeated);
  if (times > 1) repeat_channels(x, input_pixels(g), given.in_channels, times, wide, workers);
  pack_depthwise(job.gather, g.kernel, w, job.packed);
  job.units = gather_units(job.gather);
  const float* source = times > 1 ? wide : x;
  workers.run(static_cast<int>(job.units.count), [&](int task) { depthwise_task(job, source, bias, relu, y, task, workers); });
}

inline void depthwise_input_gradient(const ConvolutionGeometry& given, const float* dy, const float* w, float* dx, Workers& workers) {
  const ConvolutionGeometry g = one_filter_per_channel(given);
  const int64_t times = depth_multiplier(given), classes = residue_classes(g);
  float* wide = nullptr;
  GatherJob* jobs = place_classes(g, depthwise_weights, workers, times > 1 ? input_pixels(g) * g.in_channels : 0, &wide);
  int64_t tasks = 0;
  for (int64_t i = 0; i < classes; ++i) {
    pack_depthwise(jobs[i].gather, g.kernel, w, jobs[i].packed);
    jobs[i].units = gather_units(jobs[i].gather);
    jobs[i].first_task = tasks;
    tasks += jobs[i].units.count;
  }
  float* target = times > 1 ? wide : dx;
  workers.run(static_cast<int>(tasks), [&](int task) {
    const GatherJob& job = job_of(jobs, classes, task);
    depthwise_task(job, dy, nullptr, false, target, task - job.first_task, workers);
  });
  if (times > 1) add_repeated_channels(wide, input_pixels(g), given.in_channels, times, dx, workers);
}

// Kernel gradient: a few taps × channel vectors of sums over a short strip of positions, all channels of the strip before the
// next, so that x is read along its channels and comes from the first-level cache for all but its first tap.
constexpr int kDepthTaps = 9;
constexpr int kDepthGradientVectors = kManyRegisters ? 2 : 1;
constexpr int64_t kDepthStrip = 24;

struct DepthwiseStrip {
  const float* x;
  const int64_t* x_offsets;
  const float* dy;
  const int64_t* dy_offsets;
  int64_t positions, channels;
  float* sums;       // taps × padded channels
  float* bias_sums;  // padded channels, or null
};

template <int Taps, int Vectors>
void add_depthwise_taps(const DepthwiseStrip& strip, const Run* runs, int64_t channel, int lanes) {
  const int64_t width = padded(strip.channels);
  Vector sums[Taps][Vectors];
  CONVISTA_UNROLL
  for (int t = 0; t < Taps; ++t)
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) sums[t][v] = load(strip.sums + runs[t].row * width + channel + v * kWidth);
  for (int64_t i = 0; i < strip.positions; ++i) {
    const float* dy = strip.dy + strip.dy_offsets[i] + channel;
    const float* x = strip.x + strip.x_offsets[i] + channel;
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Vector value = load_lanes(dy + v * kWidth, lanes);
      CONVISTA_UNROLL
      for (int t = 0; t < Taps; ++t) sums[t][v] += load_lanes(x + runs[t].offset + v * kWidth, lanes) * value;
    }
  }
  CONVISTA_UNROLL
  for (int t = 0; t < Taps; ++t)
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) store(strip.sums + runs[t].row * width + channel + v * kWidth, sums[t][v]);
}

template <int Vectors>
void add_depthwise_channels(const DepthwiseStrip& strip, const Run* runs, const Run* end, int64_t channel, int lanes) {
  for (; end - runs >= kDepthTaps; runs += kDepthTaps) add_depthwise_taps<kDepthTaps, Vectors>(strip, runs, channel, lanes);
  for (; end - runs >= 4; runs += 4) add_depthwise_taps<4, Vectors>(strip, runs, channel, lanes);
  for (; end - runs >= 2; runs += 2) add_depthwise_taps<2, Vectors>(strip, runs, channel, lanes);
  if (runs < end) add_depthwise_taps<1, Vectors>(strip, runs, channel, lanes);
  if (!strip.bias_sums) return;
  CONVISTA_UNROLL
  for (int v = 0; v < Vectors; ++v) {
    Vector sum = load(strip.bias_sums + channel + v * kWidth);
    for (int64_t i = 0; i < strip.positions; ++i) sum += load_lanes(strip.dy + strip.dy_offsets[i] + channel + v * kWidth, lanes);
    store(strip.bias_sums + channel + v * kWidth, sum);
  }
}

inline void add_depthwise_strip(const DepthwiseStrip& strip, const Run* runs, const Run* end) {
  int64_t channel = 0;
  for (; channel + kDepthGradientVectors * kWidth <= strip.channels; channel += kDepthGradientVectors * kWidth)
    add_depthwise_channels<kDepthGradientVectors>(strip, runs, end, channel, kWidth);
  for (; channel + kWidth <= strip.channels; channel += kWidth) add_depthwise_channels<1>(strip, runs, end, channel, kWidth);
  if (channel < strip.channels) add_depthwise_channels<1>(strip, runs, end, channel, static_cast<int>(strip.channels - channel));
}

struct DepthwiseGradientPlan {
  Gather gather;
  Units units;
  int64_t slices;
  float* sums;       // slices × taps × padded channels
  float* bias_sums;  // slices × padded channels, or null
};

inline void depthwise_kernel_gradient_task(const DepthwiseGradientPlan& plan, const float* x, const float* dy, int64_t slice, Workers& workers) {
  const Gather& gather = plan.gather;
  const int64_t width = padded(gather.target_channels), size = depthwise_weights(gather);
  auto* places = static_cast<int64_t*>(workers.scratch(0, 2 * kDepthStrip * sizeof(int64_t)));
  auto* runs = static_cast<Run*>(workers.scratch(1, static_cast<size_t>(runs_needed(gather, 1)) * sizeof(Run)));
  float* sums = plan.sums + slice * size;
  float* bias_sums = plan.bias_sums ? plan.bias_sums + slice * width : nullptr;
  std::memset(sums, 0, static_cast<size_t>(size) * sizeof(float));
  if (bias_sums) std::memset(bias_sums, 0, static_cast<size_t>(width) * sizeof(float));
  for (int64_t unit = plan.units.count * slice / plan.slices; unit < plan.units.count * (slice + 1) / plan.slices; ++unit) {
    visit_unit(gather, plan.units, unit, [&](int64_t image, const Box& box, int64_t first, int64_t last) {
      const int64_t run_count = list_runs(gather, box, 1, runs);
      for (; first < last; first += kDepthStrip) {
        const int64_t count = smaller(kDepthStrip, last - first);
        list_positions(gather, box, first, first + count, places, places + kDepthStrip);
        const DepthwiseStrip strip{x + image * gather.source_image(), places, dy + image * gather.target_image(), places + kDepthStrip, count,
                                   gather.target_channels, sums, bias_sums};
        add_depthwise_strip(strip, runs, runs + run_count);
      }
    });
  }
}

// Adds slices in order; `count` floats of each, `slice_size` apart.
inline void add_slices(const float* sums, int64_t slices, int64_t slice_size, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += kWidth) {
    Vector total = load(sums + i);
    for (int64_t slice = 1; slice < slices; ++slice) total += load(sums + slice * slice_size + i);
    store_lanes(to + i, total, static_cast<int>(smaller(kWidth, count - i)));
  }
}

inline void depthwise_kernel_gradient(const ConvolutionGeometry& given, const float* x, const float* dy, float* dw, float* dbias,
                                      Workers& workers) {
  constexpr int64_t kSlices = 32;
  const ConvolutionGeometry g = one_filter_per_channel(given);
  const int64_t times = depth_multiplier(given), repeated = times > 1 ? input_pixels(g) * g.in_channels : 0;
  DepthwiseGradientPlan plan{forward_gather(g), {}, 1, nullptr, nullptr};
  plan.units = gather_units(plan.gather);
  plan.slices = between(1, plan.units.count, kSlices);
  const int64_t channels = g.out_channels, width = padded(channels), size = depthwise_weights(plan.gather);
  Layout needed;
  needed.take<Segment>(segments_needed(plan.gather));
  needed.take<float>(plan.slices * (size + width));
  needed.take<float>(repeated);
  Layout memory(workers.shared(needed.bytes()));
  place_segments(plan.gather, memory.take<Segment>(segments_needed(plan.gather)));
  plan.sums = memory.take<float>(plan.slices * (size + width));
  plan.bias_sums = dbias ? plan.sums + plan.slices * size : nullptr;
  float* wide = memory.take<float>(repeated);
  if (times > 1) repeat_channels(x, input_pixels(g), given.in_channels, times, wide, workers);
  const float* source = times > 1 ? wide : x;
  workers.run(static_cast<int>(plan.slices), [&](int slice) { depthwise_kernel_gradient_task(plan, source, dy, slice, workers); });
  for (int64_t tap = 0; tap < plan.gather.taps(); ++tap) add_slices(plan.sums + tap * width, plan.slices, size, channels, dw + tap * channels);
  if (dbias) add_slices(plan.bias_sums, plan.slices, width, channels, dbias);
}

}  // namespace convista::CONVISTA_TARGET
