// Gathers with few target channels: the gradient by the input of a first layer, the last layer of a decoder. Vectors of target
// channels would be nearly empty, so vectors run along the source instead, and their lanes are added at the end.
#pragma once
#include "gather_kernel.h"

namespace convista::CONVISTA_TARGET {

constexpr int kNarrowTargets = 4;  // of one register tile

// One weight vector per target channel meets this many positions: as many sums as hide the latency and as fill whole trees of
// sum_lanes where that is possible.
constexpr int narrow_positions(int targets) { return (kManyRegisters ? 16 : 8) / (targets == 3 ? 2 : targets); }

// Vectors that the lanes of one sum cost on the way to their total.
constexpr int64_t kVectorsPerTotal = 3;

// By the number of multiply-adds for one position that sees all taps.
inline bool is_narrow(const Gather& gather) {
  const int64_t targets = gather.group_targets(), rows = gather.rows();
  if (rows == 0 || targets * 2 > larger(kWidth, 8)) return false;
  const bool row = gather.axis[2].tap_step == 1 && gather.groups == 1;
  const int64_t length = gather.group_sources() * (row ? gather.axis[2].taps : 1);
  return targets * (rows / length * divide_up(length, kWidth) + kVectorsPerTotal) < rows;
}

// Weights of one group: target channel after target channel, each with all its rows.
inline int64_t narrow_row(const Gather& gather) { return divide_up(gather.rows(), kWidth) * kWidth; }
inline int64_t narrow_weights(const Gather& gather) { return gather.target_channels * narrow_row(gather); }

struct NarrowTiles {
  const float* source;  // of the group's first channel in the first image
  const int64_t* source_offsets;
  float* target;  // of the first of these target channels in the first image
  const int64_t* target_offsets;
  int64_t positions;
  const Run *begin, *end;
  const float* weights;
  int64_t weights_row;
  const float* bias;  // or null
  bool relu;
  int64_t new_channels;
};

template <int Positions, int Targets, typename Load>
inline void narrow_step(Vector (&sums)[Positions * Targets], const float* const (&sources)[Positions], int64_t offset, const float* weights,
                        int64_t weights_row, const Load& load_some) {
  Vector weight[Targets];
  CONVISTA_UNROLL
  for (int t = 0; t < Targets; ++t) weight[t] = load_some(weights + t * weights_row);
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) {
    Vector value = load_some(sources[p] + offset);
    if (Targets > 1) keep(value);
    CONVISTA_UNROLL
    for (int t = 0; t < Targets; ++t) sums[p * Targets + t] += value * weight[t];
  }
}

template <int Targets>
inline void finish_totals(const NarrowTiles& tiles, const int64_t* offsets, int live, float* totals) {
  if (tiles.bias)
    for (int i = 0; i < live * Targets; ++i) totals[i] += tiles.bias[i % Targets];
  if (tiles.relu)
    for (int i = 0; i < live * Targets; ++i) totals[i] = totals[i] < 0.0f ? 0.0f : totals[i];
  if (offsets[live - 1] - offsets[0] == (live - 1) * Targets) {
    std::memcpy(tiles.target + offsets[0], totals, static_cast<size_t>(live) * Targets * sizeof(float));
    return;
  }
  for (int p = 0; p < live; ++p)
    for (int t = 0; t < Targets; ++t) tiles.target[offsets[p] + t] = totals[p * Targets + t];
}

// Computes `Positions` positions and stores the first `live` of them.
template <int Positions, int Targets>
void narrow_tile(const NarrowTiles& tiles, int64_t position, int live) {
  const float* sources[Positions];
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) sources[p] = tiles.source + tiles.source_offsets[position + (p < live ? p : live - 1)];
  Vector sums[Positions * Targets] = {};
  for (const Run* run = tiles.begin; run < tiles.end; ++run) {
    const float* weights = tiles.weights + run->row;
    int64_t k = 0;
    for (; k + kWidth <= run->length; k += kWidth)
      narrow_step<Positions, Targets>(sums, sources, run->offset + k, weights + k, tiles.weights_row,
                                      [](const float* from) { return load(from); });
    if (k == run->length) continue;
    const int lanes = static_cast<int>(run->length - k);
    narrow_step<Positions, Targets>(sums, sources, run->offset + k, weights + k, tiles.weights_row,
                                    [lanes](const float* from) { return load_part(from, lanes); });
  }
  float totals[Positions * Targets + kWidth];
  sum_lanes(sums, totals);
  finish_totals<Targets>(tiles, tiles.target_offsets + position, live, totals);
}

// The channels that none of the earlier positions has seen, two tiles before their turn: 5–10 % faster where the source comes
// from the third level; one tile and four tiles ahead gain less.
inline void fetch_ahead(const NarrowTiles& tiles, int64_t position, int tile) {
  constexpr int64_t kLine = 64 / sizeof(float);
  if (tiles.begin == tiles.end) return;
  const Run& last = tiles.end[-1];
  const int64_t begin = position + 2 * tile, end = smaller(begin + tile, tiles.positions);
  for (int64_t p = begin; p < end; ++p)
    for (int64_t k = 0; k < tiles.new_channels; k += kLine)
      __builtin_prefetch(tiles.source + tiles.source_offsets[p] + last.offset + last.length - tiles.new_channels + k, 0, 3);
}

template <int Targets>
void narrow_tiles(const NarrowTiles& tiles) {
  constexpr int kTile = narrow_positions(Targets);
  int64_t position = 0;
  for (; position + kTile <= tiles.positions; position += kTile) {
    fetch_ahead(tiles, position, kTile);
    narrow_tile<kTile, Targets>(tiles, position, kTile);
  }
  const int left = static_cast<int>(tiles.positions - position);
  if (left == 0) return;
  if (left > kTile / 2) return narrow_tile<kTile, Targets>(tiles, position, left);
  narrow_tile<kTile / 2, Targets>(tiles, position, left);
}

inline void narrow_tiles(int64_t targets, const NarrowTiles& tiles) {
  if (targets == 1) return narrow_tiles<1>(tiles);
  if (targets == 2) return narrow_tiles<2>(tiles);
  if (targets == 3) return narrow_tiles<3>(tiles);
  narrow_tiles<4>(tiles);
}

inline void narrow_task(const GatherJob& job, const GatherCall& call, int64_t task, Workers& workers) {
  const Gather& gather = job.gather;
  const int64_t longest = larger(gather.rows(), 1), row = narrow_row(gather), group_targets = gather.group_targets();
  auto* places = static_cast<int64_t*>(workers.scratch(0, 2 * kMostPositions * sizeof(int64_t)));
  auto* runs = static_cast<Run*>(workers.scratch(1, static_cast<size_t>(runs_needed(gather, longest)) * sizeof(Run)));
  visit_unit(gather, job.units, task, [&](int64_t image, const Box& box, int64_t first, int64_t last) {
    const int64_t run_count = list_runs(gather, box, longest, runs);
    visit_pieces(first, last, kPiece, [&](int64_t from, int64_t to) {
      list_positions(gather, box, from, to, places, places + kMostPositions);
      for (int64_t channel = 0; channel < gather.target_channels;) {
        const int64_t group = channel / group_targets, targets = smaller(kNarrowTargets, (group + 1) * group_targets - channel);
        narrow_tiles(targets, {call.source + image * gather.source_image() + group * gather.group_sources(), places,
                               call.target + image * gather.target_image() + channel, places + kMostPositions, to - from, runs, runs + run_count,
                               job.packed + channel * row, row, call.bias ? call.bias + channel : nullptr, call.relu, gather.group_sources()});
        channel += targets;
      }
    });
  });
}

inline void plan_narrow_job(GatherJob& job, int64_t first_task) {
  job.units = gather_units(job.gather);
  job.block_parts = 1;
  job.first_task = first_task;
  job.tasks = job.units.count;
}

}  // namespace convista::CONVISTA_TARGET
