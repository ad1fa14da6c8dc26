// dw in float32: filters × weight rows, summed over positions in pairs.
#pragma once
#include "bfloat16_rows.h"
#include "memory.h"

namespace convista::CONVISTA_TARGET {

// A and B of a unit of positions: dy with filters as rows, and what the positions see with positions as rows. Sums are kept for
// slices of the units, and slices are added in order, so that the result does not depend on who did what.
struct Bfloat16GradientPlan {
  Gather gather;
  int64_t unit, units, slices, parts;  // parts of the filters, where the slices alone are too few tasks
  float* sums;                         // slices × groups × filters × weight rows
  float* bias_sums;                    // slices × groups × filters, or null

  int64_t depth() const { return rounded_up(gather.rows(), kDepth); }
  int64_t row_tiles() const { return divide_up(gather.group_targets(), kTile); }
  int64_t group_size() const { return row_tiles() * kTile * depth(); }
  int64_t slice_size() const { return gather.groups * group_size(); }
  int64_t bias_size() const { return gather.groups * row_tiles() * kTile; }
};

constexpr int64_t kGradientTasks = 16;
constexpr int64_t kPanelBytes = 256 * 1024;              // of B
constexpr int64_t kSliceBytes = 4 * 1024 * 1024;         // of all slices, unless there is but one
constexpr int64_t kFewestTogether = 128, kMostTogether = 512;  // positions between two visits to the sums

inline Bfloat16GradientPlan plan_bfloat16_gradient(const ConvolutionGeometry& g) {
  Bfloat16GradientPlan plan{forward_gather(g), 0, 0, 1, 1, nullptr, nullptr};
  const int64_t positions = g.batch * plan.gather.positions();
  const int64_t fitting = kPanelBytes / (plan.depth() * static_cast<int64_t>(sizeof(Bfloat16))) / kDepth * kDepth;
  plan.unit = between(kFewestTogether, fitting, kMostTogether);
  plan.units = divide_up(positions, plan.unit);
  const int64_t bytes = plan.slice_size() * static_cast<int64_t>(sizeof(float));
  plan.slices = between(1, kSliceBytes / bytes, smaller(plan.units, kGradientTasks));
  plan.parts = between(1, divide_up(kGradientTasks, plan.slices * g.groups), divide_up(plan.row_tiles(), 2));
  return plan;
}

// dy (positions × filters of one tile) to filters × positions; zeros where there are none.
inline void turn_gradient(const Bfloat16* dy, int64_t row_stride, int64_t count, int64_t filters, Bfloat16* to, int64_t to_stride) {
  for (int64_t first = 0; first < count; first += kDepth) {
    alignas(64) Square square;
    for (int64_t pair = 0; pair < kDepth / 2; ++pair) {
      const int64_t at = first + 2 * pair;
      uint16_t low[kTile] = {}, high[kTile] = {};
      const size_t bytes = static_cast<size_t>(filters) * sizeof(Bfloat16);
      if (filters == kTile && at + 1 < count) {
        std::memcpy(low, dy + at * row_stride, sizeof low);
        std::memcpy(high, dy + (at + 1) * row_stride, sizeof high);
      } else {
        if (at < count) std::memcpy(low, dy + at * row_stride, bytes);
        if (at + 1 < count) std::memcpy(high, dy + (at + 1) * row_stride, bytes);
      }
      for (int64_t i = 0; i < kTile; ++i) square.words[pair][i] = low[i] | static_cast<uint32_t>(high[i]) << 16;
    }
    transpose(square, reinterpret_cast<uint32_t*>(to + first), to_stride / 2);
  }
}

// Column `column` of the sums belongs to this weight row: 32 numbers are paired as unpacking within 128 bits leaves them.
inline int64_t weight_row(int64_t column) {
  return column / 32 * 32 + column % 16 / 4 * 8 + column % 4 + column / 16 % 2 * 4;
}

// Two rows to pairs in two column tiles for every 32 numbers; tiles lie `tile_stride` apart.
inline void pair_rows(const Bfloat16* first, const Bfloat16* second, int64_t length, Bfloat16* to, int64_t tile_stride) {
  for (int64_t done = 0; done < length; done += kDepth, to += 2 * tile_stride) {
#if defined(__AVX512BW__)
    const __m512i a = _mm512_loadu_si512(first + done), b = _mm512_loadu_si512(second + done);
    _mm512_storeu_si512(to, _mm512_unpacklo_epi16(a, b));
    _mm512_storeu_si512(to + tile_stride, _mm512_unpackhi_epi16(a, b));
#else
    for (int64_t i = 0; i < kTile; ++i)
      for (int64_t tile = 0; tile < 2; ++tile) {
        const int64_t row = done + weight_row(tile * kTile + i);
        to[tile * tile_stride + 2 * i] = first[row];
        to[tile * tile_stride + 2 * i + 1] = second[row];
      }
#endif
  }
}

// Adds one tile of dy over its positions.
inline void add_columns(const Bfloat16* dy, int64_t row_stride, int64_t count, int64_t filters, float* sums) {
  if (filters < kTile) {
    for (int64_t i = 0; i < count; ++i)
      for (int64_t filter = 0; filter < filters; ++filter) sums[filter] += widened(dy[i * row_stride + filter]);
    return;
  }
  for (int64_t v = 0; v < kTile; v += kWidth) {
    Vector sum = load(sums + v);
    for (int64_t i = 0; i < count; ++i) sum += load(dy + i * row_stride + v);
    store(sums + v, sum);
  }
}

struct UnitMemory {
  Bfloat16 *rows, *pairs, *gradient;
};

inline UnitMemory unit_memory(const Bfloat16GradientPlan& plan, Workers& workers) {
  const auto need = [&](int slot, int64_t numbers) {
    return static_cast<Bfloat16*>(workers.scratch(slot, static_cast<size_t>(numbers) * sizeof(Bfloat16)));
  };
  return {need(0, row_memory(kDepth, row_length(plan.depth()))), need(1, plan.unit * plan.depth()), need(2, plan.row_tiles() * kTile * plan.unit)};
}

struct UnitTask {
  int64_t group, slice;
  Segment tiles;  // of filters
};

// The filters of one task, the positions of one unit. x and dy begin at the group's first channel.
inline void add_unit(const Bfloat16GradientPlan& plan, const UnitTask& task, const Bfloat16* x, const Bfloat16* dy, int64_t unit, bool add,
                     const UnitMemory& memory) {
  const Gather& gather = plan.gather;
  const int64_t first = unit * plan.unit, count = smaller(plan.unit, gather.batch * gather.positions() - first);
  const int64_t steps = divide_up(count, kDepth), depth = plan.depth(), stride = row_length(depth), targets = gather.group_targets();
  const Segment all{0, gather.axis[0].taps * gather.axis[1].taps, 0, 0};
  Position position = position_at(gather, first);
  for (int64_t step = 0; step < steps; ++step) {
    copy_rows(gather, x, position, smaller(kDepth, count - step * kDepth), kDepth, all, {memory.rows, depth, stride});
    for (int64_t pair = 0; pair < kTile; ++pair) {
      const Bfloat16* row = memory.rows + 2 * pair * stride;
      pair_rows(row, row + stride, depth, memory.pairs + step * kTileSize + pair * 2 * kTile, steps * kTileSize);
    }
  }
  for (int64_t tile = task.tiles.begin; tile < task.tiles.end; ++tile) {
    const Bfloat16* columns = dy + first * gather.target_channels + tile * kTile;
    const int64_t filters = smaller(kTile, targets - tile * kTile);
    turn_gradient(columns, gather.target_channels, count, filters, memory.gradient + (tile - task.tiles.begin) * kTile * plan.unit, plan.unit);
    if (!plan.bias_sums) continue;
    float* sums = plan.bias_sums + task.slice * plan.bias_size() + (task.group * plan.row_tiles() + tile) * kTile;
    if (!add) std::memset(sums, 0, kTile * sizeof(float));
    add_columns(columns, gather.target_channels, count, filters, sums);
  }
  float* sums = plan.sums + task.slice * plan.slice_size() + task.group * plan.group_size() + task.tiles.begin * kTile * depth;
  multiply_tiles({memory.gradient, plan.unit, memory.pairs, steps * kTileSize, steps, sums, depth, add}, task.tiles.end - task.tiles.begin,
                 depth / kTile);
}

inline void bfloat16_gradient_task(const Bfloat16GradientPlan& plan, const Bfloat16* x, const Bfloat16* dy, int64_t number, Workers& workers) {
  const Gather& gather = plan.gather;
  const int64_t part = number % plan.parts, group = number / plan.parts % gather.groups, slice = number / (plan.parts * gather.groups);
  const int64_t tiles = plan.row_tiles();
  const UnitTask task{group, slice, {tiles * part / plan.parts, tiles * (part + 1) / plan.parts, 0, 0}};
  const UnitMemory memory = unit_memory(plan, workers);
  const TileRegisters registers;
  const int64_t begin = plan.units * slice / plan.slices, end = plan.units * (slice + 1) / plan.slices;
  for (int64_t unit = begin; unit < end; ++unit)
    add_unit(plan, task, x + group * gather.group_sources(), dy + group * gather.group_targets(), unit, unit > begin, memory);
}

// Adds the slices of 16 filters × 32 weight rows and writes them where they belong.
inline void finish_bfloat16_gradient(const Bfloat16GradientPlan& plan, int64_t group, int64_t tile, int64_t first, float* dw) {
  const Gather& gather = plan.gather;
  const int64_t targets = gather.group_targets(), filters = smaller(kTile, targets - tile * kTile);
  const float* sums = plan.sums + group * plan.group_size() + tile * kTile * plan.depth() + first;
  alignas(64) Square added[2], turned[2];
  for (int64_t half = 0; half < 2; ++half) {
    for (int64_t filter = 0; filter < kTile; ++filter)
      for (int64_t i = 0; i < kTile; i += kWidth) {
        const float* from = sums + filter * plan.depth() + half * kTile + i;
        Vector sum = load(from);
        for (int64_t slice = 1; slice < plan.slices; ++slice) sum += load(from + slice * plan.slice_size());
        std::memcpy(&added[half].words[filter][i], &sum, sizeof sum);
      }
    transpose(added[half], turned[half].words[0], kTile);
  }
  float* to = dw + group * targets + tile * kTile;
  for (int64_t column = 0; column < 2 * kTile; ++column) {
    const int64_t row = first + weight_row(column);
    if (row < gather.rows())
      std::memcpy(to + row * gather.target_channels, turned[column / kTile].words[column % kTile], static_cast<size_t>(filters) * sizeof(float));
  }
}

inline void finish_bfloat16_bias(const Bfloat16GradientPlan& plan, int64_t group, int64_t tile, float* dbias) {
  const int64_t targets = plan.gather.group_targets();
  for (int64_t filter = tile * kTile; filter < smaller((tile + 1) * kTile, targets); ++filter) {
    const float* from = plan.bias_sums + group * plan.row_tiles() * kTile + filter;
    float sum = 0;
    for (int64_t slice = 0; slice < plan.slices; ++slice) sum += from[slice * plan.bias_size()];
    dbias[group * targets + filter] = sum;
  }
}

}  // namespace convista::CONVISTA_TARGET
