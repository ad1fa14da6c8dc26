// dw of a convolution with one tap: 32 positions, whatever picture they lie in, take the place of a stack's 32 pictures.
//
// A is x with channels as rows, B is dy with filters as columns. Tried and lost: the same for larger kernels, where the positions that a tap
// sees begin anywhere in a line of cells, and a row of A crosses two cache lines (28² 128→128 3×3: 160 GFLOP/s, stacks 230, vectors 138;
// 56² 64→64: 145, 188, 141).
#pragma once
#include "split_kernel_gradient.h"

namespace convista::CONVISTA_TARGET {

// Slices are of the positions.
struct PointwisePlan : GradientSums {
  double* bias_sums;  // slices × filters, or null

  int64_t blocks() const { return divide_up(gather.batch * gather.positions(), kStack); }
};

constexpr int64_t kPointwiseBlocks = 4;  // between two visits to the sums: two tiles each of A and B stay in the first-level cache

inline PointwisePlan plan_pointwise(const ConvolutionGeometry& g) {
  PointwisePlan plan{{forward_gather(g), 1, 1, nullptr}, nullptr};
  const int64_t products = g.batch * plan.gather.positions() * g.in_channels * g.out_channels;
  const int64_t tasks = between(kFewestGradientTasks, products / kProductsOfTask, kMostGradientTasks);
  const int64_t bytes = larger(1, plan.slice_size() * static_cast<int64_t>(sizeof(float)));
  plan.slices = between(1, smaller(tasks, kSplitSumBytes / bytes), plan.blocks());
  plan.parts = between(1, divide_up(kFewestGradientTasks, plan.slices), plan.channel_pairs());
  return plan;
}

// Where the rows of x and dy of 32 positions begin; null in the border and behind the last position.
struct PointwiseRows {
  const float *x[kStack], *dy[kStack];
};

inline void list_rows(const Gather& gather, const float* x, const float* dy, int64_t block, PointwiseRows& rows) {
  for (int64_t i = 0; i < kStack; ++i) {
    const int64_t number = block * kStack + i;
    rows.x[i] = rows.dy[i] = nullptr;
    if (number >= gather.batch * gather.positions()) continue;
    rows.dy[i] = dy + number * gather.target_channels;
    int64_t place = number / gather.positions(), rest = number % gather.positions(), at[3];
    for (int axis = 2; axis >= 0; --axis) at[axis] = rest % gather.axis[axis].positions, rest /= gather.axis[axis].positions;
    bool inside = true;
    for (int axis = 0; axis < 3; ++axis) {
      const GatherAxis& of = gather.axis[axis];
      const int64_t from = of.source_start + at[axis] * of.source_step;
      inside = inside && from >= 0 && from < of.source;
      place = place * of.source + from;
    }
    if (inside) rows.x[i] = x + place * gather.source_channels;
  }
}

// Thousands of blocks, of which each is little beside the sum of those before.
inline void add_rows(const float* const* rows, int64_t channels, double* sums, Strange& strange) {
  for (int64_t i = 0; i < channels; i += kWidth) {
    const int lanes = static_cast<int>(smaller(kWidth, channels - i));
    Vector some{};
    for (int64_t row = 0; row < kStack && rows[row]; ++row) some += load_lanes(rows[row] + i, lanes);
    strange.see(some);
    float added[kWidth];
    store(added, some);
    for (int lane = 0; lane < lanes; ++lane) sums[i + lane] += static_cast<double>(added[lane]);
  }
}

// Channels first … end − 1 of 32 rows, as pairs of rows: for every 16 channels parts, each 16 pairs × 16 channels.
inline void pair_rows(const float* const* rows, int64_t first, int64_t end, Bfloat16* to, Strange& strange) {
  for (int64_t channel = first; channel < end; channel += kTile, to += kChannelTile)
    for (int64_t pair = 0; pair < kTile; ++pair) {
      const float *low = rows[2 * pair], *high = rows[2 * pair + 1];
      pack_split_pair(low ? low + channel : nullptr, high ? high + channel : nullptr, smaller(kTile, end - channel), to + pair * 2 * kTile, kTileSize,
                      strange);
    }
}

struct PointwiseTask {
  int64_t slice, part;
  Range blocks, pairs;  // of positions, of channel tiles
  int64_t a_size;       // of a block
};

inline PointwiseTask pointwise_task(const PointwisePlan& plan, int64_t number) {
  const int64_t slice = number / plan.parts, part = number % plan.parts;
  const Range pairs = even_part(plan.channel_pairs(), part, plan.parts);
  return {slice, part, even_part(plan.blocks(), slice, plan.slices), pairs, (pairs.end - pairs.begin) * 2 * kChannelTile};
}

// Tried and lost: to split the rows of the next blocks while tiles multiply, as lines do (14² 256→512: 300 GFLOP/s for 330).
inline void split_pointwise_block(const PointwisePlan& plan, const PointwiseTask& task, const PointwiseRows& rows, Bfloat16* a, Bfloat16* b,
                                  Strange& strange) {
  const int64_t filters = plan.gather.target_channels;
  const int64_t first = task.pairs.begin * kSumsRow, end = smaller(task.pairs.end * kSumsRow, plan.gather.source_channels);
  pair_rows(rows.x, first, end, a, strange);
  for (int64_t tile = 0; tile < divide_up(end - first, kTile) * kParts; ++tile) turn_tile(a + tile * kTileSize);
  pair_rows(rows.dy, 0, filters, b, strange);
  if (plan.bias_sums && task.part == 0) add_rows(rows.dy, filters, plan.bias_sums + task.slice * filters, strange);
}

inline void run_pointwise_task(const PointwisePlan& plan, const float* x, const float* dy, int64_t number, Flag& strange, Workers& workers) {
  const Gather& gather = plan.gather;
  const PointwiseTask task = pointwise_task(plan, number);
  const int64_t b_size = plan.filter_pairs() * 2 * kChannelTile;
  auto* a = static_cast<Bfloat16*>(workers.scratch(0, static_cast<size_t>(kPointwiseBlocks * task.a_size) * sizeof(Bfloat16)));
  auto* b = static_cast<Bfloat16*>(workers.scratch(1, static_cast<size_t>(kPointwiseBlocks * b_size) * sizeof(Bfloat16)));
  PointwiseRows rows;
  Strange seen;
  const TileRegisters registers;
  for (int64_t first = task.blocks.begin; first < task.blocks.end; first += kPointwiseBlocks) {
    const TileRun run{0, 0, smaller(kPointwiseBlocks, task.blocks.end - first)};
    for (int64_t i = 0; i < run.steps; ++i) {
      list_rows(gather, x, dy, first + i, rows);
      split_pointwise_block(plan, task, rows, a + i * task.a_size, b + i * b_size, seen);
    }
    for (int64_t pair = task.pairs.begin; pair < task.pairs.end; ++pair)
      for (int64_t column = 0; column < plan.filter_pairs(); ++column)
        multiply_runs({a + (pair - task.pairs.begin) * 2 * kChannelTile, b + column * 2 * kChannelTile, task.a_size, b_size, kChannelTile, kChannelTile,
                       kTileSize, kTileSize, kDepth, &run, &run + 1, plan.sums_of(task.slice, 0, pair, column), first > task.blocks.begin},
                      (2 * pair + 1) * kTile < gather.source_channels, (2 * column + 1) * kTile < gather.target_channels);
  }
  if (seen.seen()) strange.raise();
}

// Returns false, and dw is not to be used, where a number cannot be split.
inline bool pointwise_kernel_gradient(const ConvolutionGeometry& g, const float* x, const float* dy, float* dw, float* dbias, Workers& workers) {
  PointwisePlan plan = plan_pointwise(g);
  const int64_t filters = g.out_channels;
  Layout size;
  size.take<float>(plan.slices * plan.slice_size()), size.take<double>(plan.slices * filters);
  Layout memory(workers.shared(size.bytes()));
  plan.sums = memory.take<float>(plan.slices * plan.slice_size());
  plan.bias_sums = dbias ? memory.take<double>(plan.slices * filters) : nullptr;
  if (dbias) std::memset(plan.bias_sums, 0, static_cast<size_t>(plan.slices * filters) * sizeof(double));
  Flag strange;
  workers.run(static_cast<int>(plan.slices * plan.parts), [&](int number) { run_pointwise_task(plan, x, dy, number, strange, workers); });
  if (strange.raised()) return false;
  workers.run(static_cast<int>(plan.channel_pairs()), [&](int pair) {
    Strange seen;
    for (int64_t channel = pair * kSumsRow; channel < smaller((pair + 1) * kSumsRow, g.in_channels); ++channel) finish_gradient(plan, 0, channel, dw, seen);
    if (seen.seen()) strange.raise();
  });
  for (int64_t filter = 0; dbias && filter < filters; ++filter) {
    double sum = 0;
    for (int64_t slice = 0; slice < plan.slices; ++slice) sum += plan.bias_sums[slice * filters + filter];
    dbias[filter] = static_cast<float>(sum);
  }
  return !strange.raised();
}

}  // namespace convista::CONVISTA_TARGET
