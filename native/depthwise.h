// Depthwise convolution: every channel is its own group. Channels are in the vectors. The target is made row by row as it lies in
// memory, so that the source is read once, in order, and its last rows wait in the first-level cache. Boxes of positions with the same
// taps (as in gather.h), over a dozen pictures at a time, went over a strided dx once per residue class: 128 × 32² × 64, stride 2, took
// 8.6 ms instead of 2.6.
//
// Tried and lost: blocks of channels whose rows fit the first-level cache, where whole ones do not. 3 × 3 on 4 × 56² × 144 took 1.28 ms
// instead of 0.65, and 7 × 7 on 8 × 14² × 384 a fifth more: memory is then read in pieces.
#pragma once
#include "depthwise_strip.h"
#include "residue_classes.h"

namespace convista::CONVISTA_TARGET {

inline int64_t depth_multiplier(const ConvolutionGeometry& g) { return g.out_channels / g.in_channels; }

// From half a vector of filters per channel on, the general kernel loses less than the repetition costs.
inline bool is_depthwise(const ConvolutionGeometry& g) {
  return g.groups == g.in_channels && g.groups > 1 && depth_multiplier(g) * 2 <= kWidth;
}

inline int64_t padded(int64_t channels) { return divide_up(channels, kWidth) * kWidth; }

// The taps of an axis that a row of the target meets, and where: the source of the first one, the kernel element of the first one.
struct DepthwisePlace {
  int64_t taps, source, tap_step, element, element_step;
};

struct DepthwisePlan {
  int64_t batch, channels, times;  // channels of the filters; filters per channel of x
  int64_t source_pixel;            // channels of the source
  int64_t kernel[3], source[3], target[3];
  int64_t classes, row_step;  // residue classes of the columns; rows of the source from one row of the target to the next
  GatherAxis* columns;        // of each class
  DepthwisePlace* places[2];  // of the rows: axes 0 and 1
  int64_t line_products;      // of one row of the target, about
  int64_t ahead;              // see fetch_ahead
  int64_t parts, part;        // of a long row; positions of one, in each class
  int64_t units() const { return batch * target[0] * target[1] * parts; }
  int64_t source_line() const { return source[2] * source_pixel; }
  int64_t source_image() const { return source[0] * source[1] * source_line(); }
};

// Of one task: enough to be worth its start, and few enough that all threads have work. Short rows are taken together, long ones
// are cut.
constexpr int64_t kDepthwiseProducts = 500'000;

// Where rows are shorter than that, the rows that the next row of the target reads, or those of a later one.
inline int64_t depthwise_ahead(const DepthwisePlan& plan) {
  const int64_t line = plan.source_line(), next = plan.row_step * line;
  return line >= kAhead || line == 0 ? kAhead : divide_up(kAhead, next) * next;
}

inline GatherAxis depthwise_axis(const ConvolutionGeometry& g, bool forward, int i, int64_t residue) {
  return forward ? forward_gather(g).axis[i] : input_gradient_axis(g, i, residue);
}

inline void list_places(const ConvolutionGeometry& g, bool forward, int i, int64_t count, DepthwisePlace* places) {
  const int64_t classes = forward ? 1 : g.stride[i];
  for (int64_t residue = 0; residue < classes; ++residue) {
    const GatherAxis axis = depthwise_axis(g, forward, i, residue);
    for (int64_t position = 0; position * classes + residue < count; ++position) {
      const Segment taps = taps_at(axis, position);
      places[position * classes + residue] = {taps.tap_end - taps.tap_begin,
                                              axis.source_start + position * axis.source_step + taps.tap_begin * axis.tap_step, axis.tap_step,
                                              axis.kernel_start + taps.tap_begin * axis.kernel_step, axis.kernel_step};
    }
  }
}

// Takes memory for the plan, and fills it where there is some.
inline DepthwisePlan depthwise_plan(const ConvolutionGeometry& g, bool forward, Layout& memory) {
  DepthwisePlan plan{g.batch, g.out_channels, depth_multiplier(g), forward ? g.in_channels : g.out_channels, {}, {}, {}, 0, 0, {}, {}, 0, 0, 1, 0};
  for (int i = 0; i < 3; ++i) {
    plan.kernel[i] = g.kernel[i];
    plan.source[i] = forward ? g.in[i] : g.out[i];
    plan.target[i] = forward ? g.out[i] : g.in[i];
  }
  plan.classes = forward ? 1 : g.stride[2];
  plan.row_step = forward ? g.stride[1] : 1;
  plan.line_products = g.kernel[0] * g.kernel[1] * g.kernel[2] * g.out[2] * g.out_channels;
  plan.ahead = depthwise_ahead(plan);
  const int64_t positions = divide_up(plan.target[2], plan.classes);
  plan.part = divide_up(larger(1, positions), larger(1, plan.line_products / kDepthwiseProducts) * kStripPositions) * kStripPositions;
  plan.parts = larger(1, divide_up(positions, plan.part));
  plan.columns = memory.take<GatherAxis>(plan.classes);
  for (int i = 0; i < 2; ++i) plan.places[i] = memory.take<DepthwisePlace>(plan.target[i]);
  if (!plan.columns) return plan;
  for (int64_t residue = 0; residue < plan.classes; ++residue) plan.columns[residue] = depthwise_axis(g, forward, 2, residue);
  for (int i = 0; i < 2; ++i) list_places(g, forward, i, plan.target[i], plan.places[i]);
  return plan;
}

// A row of the target, or a part of one: what it meets along the axes 0 and 1, and its picture in the source.
struct DepthwiseTarget {
  int64_t line;         // counted over all pictures
  int64_t first, last;  // positions of each class of columns; the last ones may not exist
  const DepthwisePlace *outer, *inner;
  const float* image;
};

inline int64_t depthwise_pace(const GatherAxis& columns) {
  return columns.tap_step == 1 && columns.source_step <= 2 ? columns.source_step : 0;
}

// The runs of one residue class of columns; `tap` floats between two kernel elements.
template <typename Weight>
DepthwiseLine<Weight> depthwise_line(const DepthwisePlan& plan, const DepthwiseTarget& target, const GatherAxis& columns, Weight* weights,
                                     int64_t tap, DepthwiseRun<Weight>* runs) {
  const DepthwisePlace &outer = *target.outer, &inner = *target.inner;
  const int64_t line = plan.source_line(), pace = depthwise_pace(columns), most = pace > 0 ? kRunTaps : 1;
  auto* end = runs;
  for (int64_t t0 = 0; t0 < outer.taps; ++t0)
    for (int64_t t1 = 0; t1 < inner.taps; ++t1) {
      const int64_t plane = outer.source + t0 * outer.tap_step, row = plane * plan.source[1] + inner.source + t1 * inner.tap_step;
      const int64_t element = (outer.element + t0 * outer.element_step) * plan.kernel[1] + inner.element + t1 * inner.element_step;
      Weight* from = weights + (element * plan.kernel[2] + columns.kernel_start) * tap;
      for (int64_t t2 = 0; t2 < columns.taps; t2 += most)
        *end++ = {target.image + row * line, from + t2 * columns.kernel_step * tap, columns.source_start + t2 * columns.tap_step,
                  smaller(most, columns.taps - t2)};
    }
  const bool any = end > runs;
  const int64_t fresh = any ? smaller(inner.taps, plan.row_step) : 0;
  return {runs, end, pace, columns.source_step, plan.source[2], any ? runs->first : 0, any ? (end - 1)->first + (end - 1)->taps - 1 : 0,
          columns.kernel_step * tap, plan.channels, plan.source_pixel, plan.times,
          any ? (end - 1)->source - (fresh - 1) * inner.tap_step * line : target.image, fresh, inner.tap_step * line, plan.ahead};
}

inline int64_t units_per_task(const DepthwisePlan& plan) {
  return between(1, kDepthwiseProducts * plan.parts / larger(1, plan.line_products), larger(1, plan.units()));
}

inline int64_t depthwise_tasks(const DepthwisePlan& plan) { return divide_up(plan.units(), units_per_task(plan)); }

// Calls visit(target) for some rows of the target or their parts.
template <typename Visit>
void visit_targets(const DepthwisePlan& plan, const float* source, int64_t begin, int64_t end, const Visit& visit) {
  if (begin >= end) return;
  int64_t line = begin / plan.parts, part = begin % plan.parts;
  int64_t b = line % plan.target[1], a = line / plan.target[1] % plan.target[0];
  const float* image = source + line / plan.target[1] / plan.target[0] * plan.source_image();
  for (int64_t unit = begin; unit < end; ++unit) {
    visit(DepthwiseTarget{line, part * plan.part, (part + 1) * plan.part, plan.places[0] + a, plan.places[1] + b, image});
    if (++part < plan.parts) continue;
    part = 0;
    ++line;
    if (++b < plan.target[1]) continue;
    b = 0;
    if (++a < plan.target[0]) continue;
    a = 0;
    image += plan.source_image();
  }
}

template <typename Weight>
DepthwiseRun<Weight>* run_memory(const DepthwisePlan& plan, Workers& workers) {
  const int64_t most = plan.kernel[0] * plan.kernel[1] * plan.kernel[2];
  return static_cast<DepthwiseRun<Weight>*>(workers.scratch(1, static_cast<size_t>(most) * sizeof(DepthwiseRun<Weight>)));
}

struct DepthwiseOutput {
  const float* bias;
  bool relu;
};

template <typename Channels>
void depthwise_row(const DepthwisePlan& plan, const DepthwiseTarget& target, const float* w, const DepthwiseOutput& output,
                   DepthwiseRun<const float>* runs, float* to) {
  for (int64_t residue = 0; residue < plan.classes; ++residue) {
    const GatherAxis& columns = plan.columns[residue];
    auto line = depthwise_line(plan, target, columns, w, plan.channels, runs);
    if (residue > 0) line.fresh_rows = 0;
    const DepthwiseSums sums{to + columns.target_start * plan.channels, columns.target_step * plan.channels, output.bias, output.relu};
    depthwise_strips<Channels>(line, sums, target.first, smaller(target.last, columns.positions));
  }
}

inline void depthwise_forward(const ConvolutionGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y,
                              Workers& workers) {
  Layout size;
  depthwise_plan(g, true, size);
  Layout memory(workers.shared(size.bytes()));
  const DepthwisePlan plan = depthwise_plan(g, true, memory);
  const int64_t units = units_per_task(plan), length = plan.target[2] * plan.channels;
  workers.run(static_cast<int>(depthwise_tasks(plan)), [&](int task) {
    auto* runs = run_memory<const float>(plan, workers);
    visit_targets(plan, x, task * units, smaller((task + 1) * units, plan.units()), [&](const DepthwiseTarget& target) {
      float* to = y + target.line * length;
      if (plan.times == 1) return depthwise_row<OwnChannels>(plan, target, w, {bias, relu}, runs, to);
      depthwise_row<RepeatedChannels>(plan, target, w, {bias, relu}, runs, to);
    });
  });
}

// Sums of `times` neighbours, for any number of them, though only factors of two go vector by vector; destroys `from`, which has
// room for two vectors more.
inline void add_repeated_channels(float* from, int64_t times, int64_t count, float* to) {
  for (; times % 2 == 0; times /= 2) {
    const int64_t sums = count * times / 2;
    for (int64_t i = 0; i < sums; i += kWidth) {
      const Vector sum = add_neighbours(load(from + 2 * i), load(from + 2 * i + kWidth));
      if (times > 2) {
        store(from + i, sum);
      } else {
        store_lanes(to + i, sum, static_cast<int>(smaller(kWidth, count - i)));
      }
    }
    if (times == 2) return;
  }
  for (int64_t i = 0; i < count; ++i) {
    float sum = from[i * times];
    for (int64_t copy = 1; copy < times; ++copy) sum += from[i * times + copy];
    to[i] = sum;
  }
}

// With several filters per channel, a row of all filters is made in the thread's own memory, and its neighbours are added.
inline void depthwise_input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  Layout size;
  depthwise_plan(g, false, size);
  Layout memory(workers.shared(size.bytes()));
  const DepthwisePlan plan = depthwise_plan(g, false, memory);
  const int64_t units = units_per_task(plan), wide = plan.target[2] * plan.channels, length = wide / plan.times;
  workers.run(static_cast<int>(depthwise_tasks(plan)), [&](int task) {
    float* own = plan.times > 1 ? static_cast<float*>(workers.scratch(2, static_cast<size_t>(wide + 2 * kWidth) * sizeof(float))) : nullptr;
    auto* runs = run_memory<const float>(plan, workers);
    visit_targets(plan, dy, task * units, smaller((task + 1) * units, plan.units()), [&](const DepthwiseTarget& target) {
      float* to = dx + target.line * length;
      depthwise_row<OwnChannels>(plan, target, w, {nullptr, false}, runs, own ? own : to);
      if (!own) return;
      const int64_t pixel = plan.channels / plan.times, first = target.first * plan.classes;
      const int64_t last = smaller(target.last * plan.classes, plan.target[2]);
      add_repeated_channels(own + first * plan.channels, plan.times, (last - first) * pixel, to + first * pixel);
    });
  });
}

// Adds slices in order; `count` floats of each, `slice_size` apart.
inline void add_slices(const float* sums, int64_t slices, int64_t slice_size, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += kWidth) {
    Vector total = load(sums + i);
    for (int64_t slice = 1; slice < slices; ++slice) total += load(sums + slice * slice_size + i);
    store_lanes(to + i, total, static_cast<int>(smaller(kWidth, count - i)));
  }
}

// dw and dbias: rows of dy are cut into slices, each with its own sums: taps × padded channels.
struct DepthwiseSlices {
  int64_t count, width, size;
  float* sums;
  float* bias_sums;  // or null
};

inline void depthwise_slice(const DepthwisePlan& plan, const DepthwiseSlices& slices, int64_t slice, const float* x, const float* dy,
                            Workers& workers) {
  const int64_t pixel = plan.channels, length = plan.target[2] * pixel;
  float* sums = slices.sums + slice * slices.size;
  float* bias_sums = slices.bias_sums ? slices.bias_sums + slice * slices.width : nullptr;
  std::memset(sums, 0, static_cast<size_t>(slices.size) * sizeof(float));
  if (bias_sums) std::memset(bias_sums, 0, static_cast<size_t>(slices.width) * sizeof(float));
  auto* runs = run_memory<float>(plan, workers);
  visit_targets(plan, x, plan.units() * slice / slices.count, plan.units() * (slice + 1) / slices.count, [&](const DepthwiseTarget& target) {
    const auto line = depthwise_line(plan, target, plan.columns[0], sums, slices.width, runs);
    const int64_t last = smaller(target.last, plan.target[2]);
    const DepthwiseProducts products{dy + target.line * length, pixel, bias_sums};
    if (plan.times == 1) return depthwise_strips<OwnChannels>(line, products, target.first, last);
    depthwise_strips<RepeatedChannels>(line, products, target.first, last);
  });
}

inline void depthwise_kernel_gradient(const ConvolutionGeometry& g, const float* x, const float* dy, float* dw, float* dbias, Workers& workers) {
  constexpr int64_t kSlices = 32, kProducts = 1 << 18;
  Layout needed;
  DepthwisePlan plan = depthwise_plan(g, true, needed);
  const int64_t taps = g.kernel[0] * g.kernel[1] * g.kernel[2], width = padded(plan.channels), size = taps * width;
  const int64_t most = smaller(kSlices, larger(1, plan.units()));
  const int64_t count = between(1, plan.units() / plan.parts * plan.line_products / kProducts, most);
  needed.take<float>(count * (size + width));
  Layout memory(workers.shared(needed.bytes()));
  plan = depthwise_plan(g, true, memory);
  auto* sums = memory.take<float>(count * (size + width));
  const DepthwiseSlices slices{count, width, size, sums, dbias ? sums + count * size : nullptr};
  workers.run(static_cast<int>(count), [&](int slice) { depthwise_slice(plan, slices, slice, x, dy, workers); });
  for (int64_t tap = 0; tap < taps; ++tap) add_slices(sums + tap * width, count, size, plan.channels, dw + tap * plan.channels);
  if (dbias) add_slices(slices.bias_sums, count, width, plan.channels, dbias);
}

}  // namespace convista::CONVISTA_TARGET
