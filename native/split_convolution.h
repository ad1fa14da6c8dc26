// Which convolutions of float32 are faster in three bfloat16 parts (split.h) than in vectors of float32, on a processor with tiles, and whether
// their pictures are better stacked (split_stack.h) or laid out as lines (split_line.h).
#pragma once
#include "depthwise.h"
#include "split_gather.h"
#include "split_kernel_gradient.h"
#include "split_line.h"
#include "split_pointwise_gradient.h"

namespace convista::CONVISTA_TARGET {

enum class Way { vectors, stacks, lines };

// Multiply-adds of numbers that are inside the picture; those of whole tiles with stacks and with lines; numbers to be split, by stacks once a
// residue class; sums to be written; weights.
struct Work {
  double products, stacked, lined, numbers, classes, sums, weights;
  bool stays;  // whether the weights stay in the second-level cache
};

// Cycles, from measurements on two Sapphire Rapids cores at once. Vectors multiply 26 pairs a cycle; tiles 70 in stacks, which meet only taps
// inside the picture, and 75 in lines, which meet the border too. Stacks split a number in two or three cycles and write one in two and a half; lines in
// little more than one, while tiles multiply. A tenth more, because within it both come out alike.
inline double cycles_of_vectors(const Work& w) { return w.products / 26 + 0.5 * (w.numbers + w.sums) + w.weights; }
inline double cycles_of_stacks(const Work& w) {
  return w.stacked / (w.stays ? 70 : 55) + (w.stays ? 2.2 : 3) * w.numbers * w.classes + 2.5 * w.sums + 3 * w.weights;
}
inline double cycles_of_lines(const Work& w) { return w.lined / (w.stays ? 75 : 62) + 1.25 * (w.numbers + w.sums) + 3 * w.weights; }

// Rows of a stack, or cells of lines, that are kept split: planes of volumes would take hundreds of megabytes.
constexpr int64_t kMostKept = 16 * 1024 * 1024;

inline bool gradient_rows_fit(const Gather& gather) {
  const int lead = leading_axis(gather);
  const GatherAxis& axis = gather.axis[lead];
  const int64_t rows = larger(1, divide_up(kGradientPositions, larger(1, positions_of_row(gather, lead))));
  const int64_t cells = most_rows_seen(axis, smaller(rows, axis.positions)) * cells_of_row(gather, lead);
  const int64_t numbers = cells * rounded_up(gather.source_channels, kSumsRow) +
                          rows * positions_of_row(gather, lead) * rounded_up(gather.target_channels, kSumsRow);
  return numbers * kStack * kParts * static_cast<int64_t>(sizeof(Bfloat16)) <= kMostKept;
}

// Tiles are filled to three quarters at least.
inline bool fills_stacks(int64_t batch) { return 4 * batch >= 3 * rounded_up(batch, kTile); }

inline bool stacks_fit(const LineJob& job, const int64_t (&window)[3]) {
  if (!fills_stacks(job.gather().batch)) return false;
  for (int64_t i = 0; i < job.count; ++i)
    if (ring_bytes(split_job(job.classes[i].gather, window, 1)) > kMostKept) return false;
  return true;
}

inline bool lines_fit(const LineJob& job) { return job.lines() <= kMostLines && job.ring_cells() <= kMostKept / job.cell_bytes(); }

inline double as_double(int64_t number) { return static_cast<double>(number); }

// Taps of all positions that lie inside the picture.
inline double taps_inside(const Gather& gather) {
  double inside = 1;
  for (const GatherAxis& axis : gather.axis) {
    int64_t along = 0;
    for (int64_t tap = 0; tap < axis.taps; ++tap) {
      const Range live = positions_of_tap(axis, tap);
      along += live.end - live.begin;
    }
    inside *= as_double(along);
  }
  return inside;
}

inline Work work_of(const LineJob& job) {
  const Gather& gather = job.gather();
  const double sources = as_double(gather.source_channels), targets = as_double(gather.target_channels), batch = as_double(gather.batch);
  const double tile = as_double(rounded_up(gather.source_channels, kDepth) * rounded_up(gather.target_channels, kTile));
  Work work{0, 0, 0, batch * as_double(gather.source_image()), as_double(job.count), 0, 0, true};
  for (int64_t i = 0; i < job.count; ++i) {
    const LineClass& of = job.classes[i];
    const double inside = taps_inside(of.gather);
    work.products += batch * inside * sources * targets;
    work.stacked += as_double(rounded_up(gather.batch, kTile)) * inside * tile;
    work.lined += as_double(job.blocks() * kLineBlock * of.gather.taps()) * tile;
    work.sums += batch * as_double(of.gather.positions()) * targets;
    work.weights += as_double(of.gather.taps()) * sources * targets;
    work.stays = work.stays && of.stays();
  }
  return work;
}

// Groups stay with vectors: a group's channels seldom fill a tile. Windows of positions whose largest sum is kept are multiplied in stacks only.
inline Way way_of(const LineJob& job, const int64_t (&window)[3]) {
  if (job.count == 0 || job.gather().groups != 1 || job.gather().batch == 0) return Way::vectors;
  const Work work = work_of(job);
  const double vectors = cycles_of_vectors(work) / 1.1, stacks = cycles_of_stacks(work), lines = cycles_of_lines(work);
  const bool windows = window[0] * window[1] * window[2] > 1, stack = stacks < vectors && stacks_fit(job, window);
  if (!windows && lines < vectors && !(stack && stacks < lines) && lines_fit(job)) return Way::lines;
  return stack ? Way::stacks : Way::vectors;
}

inline Way way_of_forward(const ConvolutionGeometry& g, const int64_t (&window)[3] = kNoWindow) { return way_of(forward_lines(g), window); }

inline Way way_of_input_gradient(const ConvolutionGeometry& g) { return way_of(input_gradient_lines(g), kNoWindow); }

// Of one tap, 32 positions are multiplied together, wherever they lie.
inline Way way_of_pointwise_gradient(const ConvolutionGeometry& g, double positions) {
  const double numbers = positions * as_double(g.in_channels + g.out_channels);
  const double tile = as_double(rounded_up(g.in_channels, kTile) * rounded_up(g.out_channels, kTile));
  const double lines = positions * tile / 60 + 1.9 * numbers, vectors = positions * as_double(g.in_channels * g.out_channels) / 24 + 0.3 * numbers;
  return 1.1 * lines < vectors ? Way::lines : Way::vectors;
}

// Channels that become rows take four cycles a number.
inline Way way_of_kernel_gradient(const ConvolutionGeometry& g) {
  if (g.groups != 1 || g.batch == 0) return Way::vectors;
  const Gather gather = forward_gather(g);
  const double positions = as_double(g.batch * gather.positions());
  if (gather.taps() == 1) return way_of_pointwise_gradient(g, positions);
  if (!fills_stacks(g.batch) || !gradient_rows_fit(gather)) return Way::vectors;
  const double inside = taps_inside(gather), parts = as_double(divide_up(g.in_channels, kGradientChannels));  // each splits dy anew
  const double filled = as_double(rounded_up(g.batch, kTile)) * inside * as_double(rounded_up(g.in_channels, kTile) * rounded_up(g.out_channels, kTile));
  const double turned = as_double(g.batch * gather.source_image()) + parts * positions * as_double(g.out_channels);
  const double products = as_double(g.batch) * inside * as_double(g.in_channels * g.out_channels);
  return 1.25 * (filled / 80 + 4 * turned) < products / 24 ? Way::stacks : Way::vectors;
}

}  // namespace convista::CONVISTA_TARGET
