// dw of stacks of pictures in three bfloat16 parts: for each tap, input channels × filters, summed over positions and 32 pictures at once.
//
// A is x with channels as rows, B is dy with filters as columns, so that sums lie as w does.
#pragma once
#include "split_stack.h"

namespace convista::CONVISTA_TARGET {

// A tile of 16 channels × 32 pictures in parts.
constexpr int64_t kChannelTile = kParts * kTileSize;

// Slices have sums of their own, added in order; parts are of the input channels.
struct GradientSums {
  Gather gather;
  int64_t slices, parts;
  float* sums;  // slices × taps × pairs of channel tiles × pairs of filter tiles × 32 × 32

  int64_t channel_pairs() const { return divide_up(gather.source_channels, kSumsRow); }
  int64_t filter_pairs() const { return divide_up(gather.target_channels, kSumsRow); }
  int64_t slice_size() const { return gather.taps() * channel_pairs() * filter_pairs() * kSums; }
  float* sums_of(int64_t slice, int64_t tap, int64_t channel_pair, int64_t filter_pair) const {
    return sums + slice * slice_size() + ((tap * channel_pairs() + channel_pair) * filter_pairs() + filter_pair) * kSums;
  }
};

// Slices are of the bands of all stacks.
struct SplitGradientPlan : GradientSums {
  int lead;
  int64_t stacks, bands;
  int64_t rows;      // of positions that are done together
  float* bias_sums;  // slices × filters, or null
};

// Slices are cut by the shape alone, because sums are added slice after slice.
constexpr int64_t kProductsOfTask = 150'000'000, kFewestGradientTasks = 4, kMostGradientTasks = 16;
constexpr int64_t kSplitSumBytes = 16 * 1024 * 1024;  // of all slices
constexpr int64_t kGradientChannels = 128;            // of a part, so that it stays in the second-level cache with the filters
constexpr int64_t kGradientPositions = 16;            // at least, between two visits to the sums

inline SplitGradientPlan plan_split_gradient(const ConvolutionGeometry& g) {
  SplitGradientPlan plan{{forward_gather(g), 1, 1, nullptr}, 0, divide_up(g.batch, kStack), 1, 1, nullptr};
  const Gather& gather = plan.gather;
  plan.lead = leading_axis(gather);
  const GatherAxis& axis = gather.axis[plan.lead];
  plan.parts = divide_up(gather.source_channels, kGradientChannels);
  const int64_t products = g.batch * gather.positions() * gather.rows() * gather.target_channels;
  const int64_t tasks = between(kFewestGradientTasks, products / kProductsOfTask, kMostGradientTasks);
  plan.bands = between(1, divide_up(tasks, plan.stacks * plan.parts), axis.positions);
  const int64_t bytes = larger(1, plan.slice_size() * static_cast<int64_t>(sizeof(float)));
  plan.slices = between(1, kSplitSumBytes / bytes, plan.stacks * plan.bands);
  plan.parts = between(plan.parts, divide_up(kFewestGradientTasks, plan.slices), plan.channel_pairs());
  plan.rows = between(1, divide_up(kGradientPositions, larger(1, positions_of_row(gather, plan.lead))), axis.positions);
  return plan;
}

// Channels first … end − 1 of one cell (or position) of a stack's pictures, as pairs of pictures: for every 16 channels parts, each
// 16 pairs × 16 channels.
inline void pair_pictures(const Stack& stack, int64_t image_size, int64_t first, int64_t end, int64_t pair, Bfloat16* to, Strange& strange) {
  const float* low = 2 * pair < stack.images ? stack.source + 2 * pair * image_size : nullptr;
  const float* high = 2 * pair + 1 < stack.images ? low + image_size : nullptr;
  for (int64_t channel = first; channel < end; channel += kTile, to += kChannelTile)
    pack_split_pair(low ? low + channel : nullptr, high ? high + channel : nullptr, smaller(kTile, end - channel), to + pair * 2 * kTile, kTileSize,
                    strange);
}

inline void turn_tile(Bfloat16* tile) {
  alignas(64) Square square;
  std::memcpy(square.words, tile, sizeof square.words);
  transpose(square, reinterpret_cast<uint32_t*>(tile), kTile);
}

struct SplitGradientTask {
  int64_t slice, part;
  Range channels;  // of x
  Range units;     // bands of stacks
};

inline SplitGradientTask split_gradient_task(const SplitGradientPlan& plan, int64_t number) {
  const int64_t part = number % plan.parts, slice = number / plan.parts;
  const Range pairs = even_part(plan.channel_pairs(), part, plan.parts);
  const Range channels{pairs.begin * kSumsRow, smaller(pairs.end * kSumsRow, plan.gather.source_channels)};
  return {slice, part, channels, even_part(plan.stacks * plan.bands, slice, plan.slices)};
}

// x, channels as rows, of the rows of cells in use; an even number of tiles per cell, of which the last may hold anything.
inline void turn_rows(const SplitGradientPlan& plan, const Stack& stack, const Range& channels, Range rows, const Ring& ring, Strange& strange) {
  const Gather& gather = plan.gather;
  const int64_t cells = cells_of_row(gather, plan.lead), tiles = divide_up(channels.end - channels.begin, kTile);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t pair = 0; pair < kTile; ++pair)
      for (int64_t cell = 0; cell < cells; ++cell) {
        const Stack here{stack.source + (row * cells + cell) * gather.source_channels, stack.images};
        pair_pictures(here, gather.source_image(), channels.begin, channels.end, pair, ring.row(row) + cell * ring.cell_size, strange);
      }
    for (int64_t cell = 0; cell < cells; ++cell)
      for (int64_t tile = 0; tile < tiles * kParts; ++tile) turn_tile(ring.row(row) + cell * ring.cell_size + tile * kTileSize);
  }
}

// dy, filters as columns, of a block of rows of positions, which lie in their order.
inline void pair_rows_of_gradient(const SplitGradientPlan& plan, const Stack& stack, Range rows, Bfloat16* to, int64_t size, Strange& strange) {
  const Gather& gather = plan.gather;
  const int64_t in_row = positions_of_row(gather, plan.lead), first = rows.begin * in_row, end = rows.end * in_row;
  for (int64_t pair = 0; pair < kTile; ++pair)
    for (int64_t position = first; position < end; ++position) {
      const Stack here{stack.source + position * gather.target_channels, stack.images};
      pair_pictures(here, gather.target_image(), 0, gather.target_channels, pair, to + (position - first) * size, strange);
    }
}

// Adds dy over positions first … end − 1 of a stack. A picture's positions are added up before the pictures are: one sum over thousands of
// equal numbers would lose three digits.
inline void add_gradients(const Stack& stack, const Gather& gather, int64_t first, int64_t end, float* sums) {
  constexpr int64_t kTogether = 64;
  for (int64_t i = 0; i < gather.target_channels; i += kWidth) {
    const int lanes = static_cast<int>(smaller(kWidth, gather.target_channels - i));
    Vector all{};
    for (int64_t image = 0; image < stack.images; ++image)
      for (int64_t begin = first; begin < end; begin += kTogether) {
        const float* from = stack.source + image * gather.target_image() + i;
        Vector some{};
        for (int64_t position = begin; position < smaller(begin + kTogether, end); ++position)
          some += load_lanes(from + position * gather.target_channels, lanes);
        all += some;
      }
    store_lanes(sums + i, load_lanes(sums + i, lanes) + all, lanes);
  }
}

// Positions first … end − 1 of an axis at which a tap lies inside the picture.
inline Range positions_of_tap(const GatherAxis& axis, int64_t tap) {
  const int64_t at = axis.source_start + tap * axis.tap_step;
  const int64_t first = at < 0 ? divide_up(-at, axis.source_step) : 0;
  const int64_t end = smaller(axis.positions, floor_divide(axis.source - 1 - at, axis.source_step) + 1);
  return {first, larger(first, end)};
}

inline Range common_part(Range a, Range b) { return {larger(a.begin, b.begin), larger(larger(a.begin, b.begin), smaller(a.end, b.end))}; }

// Where one tap meets the positions of a block: along the last axis one run each, and one step each where that axis leads, since the
// ring comes round.
inline TileRun* list_gradient_runs(const SplitGradientPlan& plan, const Ring& ring, Range rows, const int64_t (&tap)[3], int64_t position_size,
                                   TileRun* runs) {
  const Gather& gather = plan.gather;
  Range live[3];
  for (int i = 0; i < 3; ++i) live[i] = positions_of_tap(gather.axis[i], tap[i]);
  live[plan.lead] = common_part(live[plan.lead], rows);
  const int64_t together = plan.lead < 2 ? larger(1, live[2].end - live[2].begin) : 1;
  for (int64_t p0 = live[0].begin; p0 < live[0].end; ++p0)
    for (int64_t p1 = live[1].begin; p1 < live[1].end; ++p1)
      for (int64_t p2 = live[2].begin; p2 < live[2].end; p2 += together) {
        const int64_t number = (p0 * gather.axis[1].positions + p1) * gather.axis[2].positions + p2;
        *runs++ = {ring_offset(gather, plan.lead, ring, {{p0, p1, p2}}, tap),
                   (number - rows.begin * positions_of_row(gather, plan.lead)) * position_size, together};
      }
  return runs;
}

struct SplitGradientMemory {
  Ring ring;
  Bfloat16* gradient;
  int64_t position_size;
  TileRun* runs;
};

inline SplitGradientMemory split_gradient_memory(const SplitGradientPlan& plan, const SplitGradientTask& task, Workers& workers) {
  const Gather& gather = plan.gather;
  const int64_t pairs = divide_up(task.channels.end - task.channels.begin, kSumsRow), positions = plan.rows * positions_of_row(gather, plan.lead);
  SplitGradientMemory memory{{nullptr, most_rows_seen(gather.axis[plan.lead], plan.rows), 0, pairs * 2 * kChannelTile},
                             nullptr, plan.filter_pairs() * 2 * kChannelTile, nullptr};
  memory.ring.row_size = cells_of_row(gather, plan.lead) * memory.ring.cell_size;
  const auto numbers = [&](int slot, int64_t count) {
    return static_cast<Bfloat16*>(workers.scratch(slot, static_cast<size_t>(count) * sizeof(Bfloat16)));
  };
  memory.ring.numbers = numbers(0, memory.ring.rows * memory.ring.row_size);
  memory.gradient = numbers(1, positions * memory.position_size);
  memory.runs = static_cast<TileRun*>(workers.scratch(2, static_cast<size_t>(larger(1, positions)) * sizeof(TileRun)));
  return memory;
}

inline void multiply_gradient_rows(const SplitGradientPlan& plan, const SplitGradientTask& task, Range rows, bool add,
                                   const SplitGradientMemory& memory) {
  const Gather& gather = plan.gather;
  const GatherAxis* axis = gather.axis;
  const int64_t begin = task.channels.begin / kSumsRow, end = divide_up(task.channels.end, kSumsRow);
  for (int64_t tap = 0; tap < gather.taps(); ++tap) {
    const int64_t taps[3] = {tap / (axis[2].taps * axis[1].taps), tap / axis[2].taps % axis[1].taps, tap % axis[2].taps};
    const TileRun* last = list_gradient_runs(plan, memory.ring, rows, taps, memory.position_size, memory.runs);
    for (int64_t channels = begin; channels < end; ++channels)
      for (int64_t filters = 0; filters < plan.filter_pairs(); ++filters) {
        const bool tall = (2 * channels + 1) * kTile < gather.source_channels, wide = (2 * filters + 1) * kTile < gather.target_channels;
        multiply_runs({memory.ring.numbers + (channels - begin) * 2 * kChannelTile, memory.gradient + filters * 2 * kChannelTile,
                       axis[2].source_step * memory.ring.cell_size, memory.position_size, kChannelTile, kChannelTile, kTileSize, kTileSize,
                       kDepth, memory.runs, last, plan.sums_of(task.slice, tap, channels, filters), add},
                      tall, wide);
      }
  }
}

inline void split_gradient_unit(const SplitGradientPlan& plan, const SplitGradientTask& task, const float* x, const float* dy, int64_t unit,
                                const SplitGradientMemory& memory, Strange& strange) {
  const Gather& gather = plan.gather;
  const GatherAxis& axis = gather.axis[plan.lead];
  const int64_t image = unit / plan.bands * kStack, images = smaller(kStack, gather.batch - image), in_row = positions_of_row(gather, plan.lead);
  const Stack source{x + image * gather.source_image(), images}, target{dy + image * gather.target_image(), images};
  const Range band = even_part(axis.positions, unit % plan.bands, plan.bands);
  int64_t turned_up_to = 0;
  for (int64_t row = band.begin; row < band.end; row += plan.rows) {
    const Range rows{row, smaller(row + plan.rows, band.end)};
    Range wanted = rows_seen(axis, rows.begin, rows.end);
    wanted.begin = larger(wanted.begin, turned_up_to);
    turn_rows(plan, source, task.channels, wanted, memory.ring, strange);
    turned_up_to = larger(turned_up_to, wanted.end);
    pair_rows_of_gradient(plan, target, rows, memory.gradient, memory.position_size, strange);
    multiply_gradient_rows(plan, task, rows, unit > task.units.begin || row > band.begin, memory);
    if (plan.bias_sums && task.part == 0)
      add_gradients(target, gather, rows.begin * in_row, rows.end * in_row, plan.bias_sums + task.slice * gather.target_channels);
  }
}

inline void finish_gradient(const GradientSums& plan, int64_t tap, int64_t channel, float* dw, Strange& strange) {
  const Gather& gather = plan.gather;
  const int64_t filters = gather.target_channels, pair = channel / kSumsRow;
  float* to = dw + (tap * gather.source_channels + channel) * filters;
  for (int64_t filter = 0; filter < filters; filter += kWidth) {
    const float* from = plan.sums_of(0, tap, pair, filter / kSumsRow) + channel % kSumsRow * kSumsRow + filter % kSumsRow;
    Vector sum = load(from);
    for (int64_t slice = 1; slice < plan.slices; ++slice) sum += load(from + slice * plan.slice_size());
    const int lanes = static_cast<int>(smaller(kWidth, filters - filter));
    strange.see(sum);
    store_lanes(to + filter, sum, lanes);
  }
}

// Returns false, and dw is not to be used, where a number cannot be split.
inline bool split_kernel_gradient(const ConvolutionGeometry& g, const float* x, const float* dy, float* dw, float* dbias, Workers& workers) {
  SplitGradientPlan plan = plan_split_gradient(g);
  const int64_t taps = plan.gather.taps(), channels = plan.gather.source_channels, filters = plan.gather.target_channels;
  Layout size;
  size.take<float>(plan.slices * plan.slice_size());
  size.take<float>(plan.slices * filters);
  Layout memory(workers.shared(size.bytes()));
  plan.sums = memory.take<float>(plan.slices * plan.slice_size());
  plan.bias_sums = dbias ? memory.take<float>(plan.slices * filters) : nullptr;
  if (dbias) std::memset(plan.bias_sums, 0, static_cast<size_t>(plan.slices * filters) * sizeof(float));
  Flag strange;
  workers.run(static_cast<int>(plan.slices * plan.parts), [&](int number) {
    const SplitGradientTask task = split_gradient_task(plan, number);
    const SplitGradientMemory own = split_gradient_memory(plan, task, workers);
    const TileRegisters registers;
    Strange seen;
    for (int64_t unit = task.units.begin; unit < task.units.end; ++unit) split_gradient_unit(plan, task, x, dy, unit, own, seen);
    if (seen.seen()) strange.raise();
  });
  if (strange.raised()) return false;
  workers.run(static_cast<int>(taps), [&](int tap) {
    Strange seen;
    for (int64_t channel = 0; channel < channels; ++channel) finish_gradient(plan, tap, channel, dw, seen);
    if (seen.seen()) strange.raise();
  });
  for (int64_t filter = 0; dbias && filter < filters; ++filter) {
    dbias[filter] = 0;
    for (int64_t slice = 0; slice < plan.slices; ++slice) dbias[filter] += plan.bias_sums[slice * filters + filter];
  }
  return !strange.raised();
}

}  // namespace convista::CONVISTA_TARGET
