// dw and dbias: a few weight rows × a few vectors of output channels stay in registers over a strip of positions.
#pragma once
#include "depthwise.h"
#include "gather_kernel.h"
#include "memory.h"

namespace convista::CONVISTA_TARGET {

// Positions whose dy (strip × block of output channels, 24 KB) is packed into the first-level cache and meets all weight rows
// there. Strips of 64 and of 128 lose 2–5 %; so does fetching the next rows' sums
// ahead, and fetching the next strip ahead gains nothing.
constexpr int64_t kStrip = 96;  // with kVectors vectors; narrower blocks have longer strips

// Weight rows seen from one box: where in x, counted from the position, and which row of dw.
struct Row {
  int64_t offset, row;
};

struct Strip {
  const float* source;            // x, of the group's first channel in the first image
  const int64_t* source_offsets;
  const float* dy;                // packed, positions × block
  int64_t positions;
};

template <int Rows, int Vectors, bool Together>
void add_rows(const Strip& strip, const Row* rows, float* sums_of_block) {
  constexpr int kBlock = Vectors * kWidth;
  Vector sums[Rows][Vectors];
  int64_t offset[Rows];
  CONVISTA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    offset[r] = rows[r].offset;
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) sums[r][v] = load(sums_of_block + rows[r].row * kBlock + v * kWidth);
  }
  const float* dy = strip.dy;
  const float* source = strip.source + (Together ? offset[0] : 0);
  for (int64_t i = 0; i < strip.positions; ++i, dy += kBlock) {
    const float* from = source + strip.source_offsets[i];
    Vector value[Vectors];
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) value[v] = load(dy + v * kWidth);
    CONVISTA_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const Vector factor = fill(from[Together ? r : offset[r]]);
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v) sums[r][v] += factor * value[v];
    }
  }
  CONVISTA_UNROLL
  for (int r = 0; r < Rows; ++r)
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) store(sums_of_block + rows[r].row * kBlock + v * kWidth, sums[r][v]);
}

template <int Rows, int Vectors>
void add_rows(const Strip& strip, const Row* rows, float* sums) {
  if (rows[Rows - 1].offset - rows[0].offset == Rows - 1) return add_rows<Rows, Vectors, true>(strip, rows, sums);
  add_rows<Rows, Vectors, false>(strip, rows, sums);
}

template <int Rows, int Vectors>
const Row* add_rest(const Strip& strip, const Row* rows, const Row* end, float* sums) {
  if constexpr (Rows > 0) {
    for (; end - rows >= Rows; rows += Rows) add_rows<Rows, Vectors>(strip, rows, sums);
  }
  return rows;
}

template <int Vectors>
void add_strip(const Strip& strip, const Row* rows, int64_t count, float* sums) {
  constexpr int kTile = tile_positions(Vectors);
  const Row* end = rows + count;
  rows = add_rest<kTile, Vectors>(strip, rows, end, sums);
  rows = add_rest<kTile * 3 / 4, Vectors>(strip, rows, end, sums);  // nine rows are a 3 × 3 kernel on one channel
  rows = add_rest<kTile / 2, Vectors>(strip, rows, end, sums);
  rows = add_rest<kTile / 4, Vectors>(strip, rows, end, sums);
  rows = add_rest<2, Vectors>(strip, rows, end, sums);
  add_rest<1, Vectors>(strip, rows, end, sums);
}

inline void add_strip(int vectors, const Strip& strip, const Row* rows, int64_t count, float* sums) {
  if (vectors == 1) return add_strip<1>(strip, rows, count, sums);
  if (vectors == 2) return add_strip<2>(strip, rows, count, sums);
  if constexpr (kVectors > 2) {
    if (vectors == 3) return add_strip<3>(strip, rows, count, sums);
    return add_strip<4>(strip, rows, count, sums);
  }
}

// dy of the listed positions and one block, zeros behind the last channel; adds to the sums for dbias unless they are null.
// Position by position, so that dy is read as it lies: vector by vector made the whole gradient 6–14 % slower where there
// are few rows (1 × 1, or 1–3 input channels).
template <int Vectors>
void pack_strip(const float* dy, const int64_t* offsets, int64_t count, int last_lanes, float* packed, float* bias_sums) {
  Vector sums[Vectors] = {};
  for (int64_t i = 0; i < count; ++i, packed += Vectors * kWidth) {
    const float* from = dy + offsets[i];
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Vector value = v + 1 < Vectors ? load(from + v * kWidth) : load_lanes(from + v * kWidth, last_lanes);
      store(packed + v * kWidth, value);
      sums[v] += value;
    }
  }
  if (!bias_sums) return;
  CONVISTA_UNROLL
  for (int v = 0; v < Vectors; ++v) store(bias_sums + v * kWidth, load(bias_sums + v * kWidth) + sums[v]);
}

inline void pack_strip(const float* dy, const int64_t* offsets, int64_t count, int vectors, int last_lanes, float* packed, float* bias_sums) {
  if (vectors == 1) return pack_strip<1>(dy, offsets, count, last_lanes, packed, bias_sums);
  if (vectors == 2) return pack_strip<2>(dy, offsets, count, last_lanes, packed, bias_sums);
  if constexpr (kVectors > 2) {
    if (vectors == 3) return pack_strip<3>(dy, offsets, count, last_lanes, packed, bias_sums);
    pack_strip<4>(dy, offsets, count, last_lanes, packed, bias_sums);
  }
}

inline int64_t list_rows(const Run* runs, int64_t count, int64_t begin, int64_t end, Row* rows) {
  int64_t listed = 0;
  for (const Run* run = runs; run < runs + count; ++run) {
    const int64_t from = larger(begin, run->row), to = smaller(end, run->row + run->length);
    for (int64_t row = from; row < to; ++row) rows[listed++] = {run->offset + row - run->row, row};
  }
  return listed;
}

// The work is cut into slices of positions × groups × parts of the blocks × chunks of weight rows. Every slice has its own
// sums, and slices are added in order, so the result does not depend on who did what.
// Where there is one slice, neither sums in the task's own memory (3–6 % slower with 512 channels at 8 × 7² positions: dw is
// then written in rows of one block) nor tasks of whole rows of dw (13 % slower: dy is packed for every chunk) gains anything.
struct KernelGradientPlan {
  Gather gather;
  Units units;
  Blocks blocks;
  int64_t slices, block_parts, chunks, chunk_rows;
  float* sums;       // slices × groups × blocks
  float* bias_sums;  // slices × groups × vectors, or null

  int64_t slice_size() const { return gather.groups * blocks.size(); }
  int64_t bias_size() const { return gather.groups * blocks.vectors * kWidth; }
  int64_t tasks() const { return slices * gather.groups * block_parts * chunks; }
};

constexpr int64_t kTasksWanted = 32;
constexpr int64_t kUnitPositions = 1024, kUnitLimit = kUnitPositions + 32;
constexpr int64_t kSumBytes = 512 * 1024;           // of one task, so that they stay in the second-level cache
constexpr int64_t kAllSumBytes = 16 * 1024 * 1024;  // of all slices

// Several blocks in one task share the strip of x while it is in the cache: with a 1 × 1 kernel one block at a time waits for memory.
inline KernelGradientPlan plan_kernel_gradient(const ConvolutionGeometry& g) {
  constexpr int64_t kBytes = sizeof(float);
  const Gather gather = forward_gather(g);
  const Blocks blocks(gather.group_targets(), gather.rows());
  KernelGradientPlan plan{gather, cut_units(gather, kUnitPositions), blocks, 1, 1, 1, 0, nullptr, nullptr};
  plan.slices = between(1, kAllSumBytes / (plan.slice_size() * kBytes), smaller(plan.units.count, kTasksWanted));
  const int64_t block_bytes = blocks.rows * kVectors * kWidth * kBytes;
  plan.chunks = divide_up(block_bytes, kSumBytes);
  plan.chunk_rows = whole_tiles(divide_up(blocks.rows, plan.chunks));
  const int64_t for_cache = divide_up(blocks.count(), larger(1, kSumBytes / block_bytes));
  const int64_t for_tasks = divide_up(kTasksWanted, plan.slices * g.groups * plan.chunks);
  plan.block_parts = smaller(blocks.count(), larger(for_cache, for_tasks));
  return plan;
}

struct GradientTask {
  int64_t slice, group, first_block, last_block, first_row, last_row;
  bool bias;
};

inline GradientTask gradient_task(const KernelGradientPlan& plan, int64_t task) {
  const int64_t chunk = task % plan.chunks, part = task / plan.chunks % plan.block_parts;
  const int64_t group = task / (plan.chunks * plan.block_parts) % plan.gather.groups;
  const int64_t slice = task / (plan.chunks * plan.block_parts * plan.gather.groups), blocks = plan.blocks.count();
  const int64_t begin = smaller(chunk * plan.chunk_rows, plan.blocks.rows), end = smaller(begin + plan.chunk_rows, plan.blocks.rows);
  return {slice, group, blocks * part / plan.block_parts, blocks * (part + 1) / plan.block_parts, begin, end, plan.bias_sums && chunk == 0};
}

inline float* block_sums(const KernelGradientPlan& plan, const GradientTask& task, int64_t block) {
  return plan.sums + task.slice * plan.slice_size() + task.group * plan.blocks.size() + plan.blocks.start(block);
}

inline float* block_bias_sums(const KernelGradientPlan& plan, const GradientTask& task, int64_t block) {
  if (!task.bias) return nullptr;
  return plan.bias_sums + task.slice * plan.bias_size() + (task.group * plan.blocks.vectors + block * kVectors) * kWidth;
}

inline void clear_sums(const KernelGradientPlan& plan, const GradientTask& task) {
  for (int64_t block = task.first_block; block < task.last_block; ++block) {
    const int64_t width = plan.blocks.width(block) * kWidth, rows = task.last_row - task.first_row;
    std::memset(block_sums(plan, task, block) + task.first_row * width, 0, static_cast<size_t>(rows * width) * sizeof(float));
    if (task.bias) std::memset(block_bias_sums(plan, task, block), 0, static_cast<size_t>(width) * sizeof(float));
  }
}

// `places`: offsets of all positions in x, then, kUnitLimit further on, in dy. x and dy begin at the group's first channel.
inline void gradient_strips(const KernelGradientPlan& plan, const GradientTask& task, const float* x, const float* dy, const int64_t* places,
                            int64_t positions, const Row* rows, int64_t row_count, Workers& workers) {
  auto* packed = static_cast<float*>(workers.scratch(2, kStrip * kVectors * kWidth * sizeof(float)));
  const int64_t strip = kStrip * kVectors / plan.blocks.width(task.first_block);
  for (int64_t first = 0; first < positions; first += strip)
    for (int64_t block = task.first_block; block < task.last_block; ++block) {
      const int64_t count = smaller(strip, positions - first);
      const int vectors = plan.blocks.width(block);
      pack_strip(dy + block * kVectors * kWidth, places + kUnitLimit + first, count, vectors, plan.blocks.lanes(block), packed,
                 block_bias_sums(plan, task, block));
      add_strip(vectors, {x, places + first, packed, count}, rows, row_count, block_sums(plan, task, block));
    }
}

inline void kernel_gradient_task(const KernelGradientPlan& plan, const float* x, const float* dy, int64_t number, Workers& workers) {
  const Gather& gather = plan.gather;
  const GradientTask task = gradient_task(plan, number);
  const int64_t longest = larger(plan.blocks.rows, 1);
  auto* places = static_cast<int64_t*>(workers.scratch(0, 2 * kUnitLimit * sizeof(int64_t)));
  auto* runs = static_cast<Run*>(workers.scratch(1, static_cast<size_t>(runs_needed(gather, longest)) * sizeof(Run)));
  auto* rows = static_cast<Row*>(workers.scratch(3, static_cast<size_t>(plan.chunk_rows + 1) * sizeof(Row)));
  clear_sums(plan, task);
  for (int64_t unit = plan.units.count * task.slice / plan.slices; unit < plan.units.count * (task.slice + 1) / plan.slices; ++unit) {
    visit_unit(gather, plan.units, unit, [&](int64_t image, const Box& box, int64_t first, int64_t last) {
      const int64_t row_count = list_rows(runs, list_runs(gather, box, longest, runs), task.first_row, task.last_row, rows);
      list_positions(gather, box, first, last, places, places + kUnitLimit);
      gradient_strips(plan, task, x + image * gather.source_image() + task.group * gather.group_sources(),
                      dy + image * gather.target_image() + task.group * gather.group_targets(), places, last - first, rows, row_count, workers);
    });
  }
}

inline void finish_kernel_gradient_row(const KernelGradientPlan& plan, int64_t group, int64_t row, float* dw) {
  const int64_t targets = plan.gather.group_targets();
  float* to = dw + row * plan.gather.target_channels + group * targets;
  for (int64_t block = 0; block < plan.blocks.count(); ++block) {
    const int64_t width = plan.blocks.width(block) * kWidth, channel = block * kVectors * kWidth;
    const float* sums = plan.sums + group * plan.blocks.size() + plan.blocks.start(block) + row * width;
    add_slices(sums, plan.slices, plan.slice_size(), smaller(width, targets - channel), to + channel);
  }
}

inline void convolution_kernel_gradient(const ConvolutionGeometry& g, const float* x, const float* dy, float* dw, float* dbias,
                                        Workers& workers) {
  if (is_depthwise(g)) return depthwise_kernel_gradient(g, x, dy, dw, dbias, workers);
  KernelGradientPlan plan = plan_kernel_gradient(g);
  Layout size;
  size.take<Segment>(segments_needed(plan.gather));
  size.take<float>(plan.slices * plan.slice_size());
  size.take<float>(plan.slices * plan.bias_size());
  Layout memory(workers.shared(size.bytes()));
  place_segments(plan.gather, memory.take<Segment>(segments_needed(plan.gather)));
  plan.sums = memory.take<float>(plan.slices * plan.slice_size());
  plan.bias_sums = dbias ? memory.take<float>(plan.slices * plan.bias_size()) : nullptr;

  workers.run(static_cast<int>(plan.tasks()),
              [&](int task) { kernel_gradient_task(plan, x, dy, task, workers); });
  constexpr int64_t kRowsTogether = 32;
  const int64_t rows = plan.blocks.rows, parts = divide_up(rows, kRowsTogether), targets = plan.gather.group_targets();
  workers.run(static_cast<int>(g.groups * parts), [&](int task) {
    const int64_t group = task / parts, begin = task % parts * kRowsTogether;
    for (int64_t row = begin; row < smaller(begin + kRowsTogether, rows); ++row) finish_kernel_gradient_row(plan, group, row, dw);
    if (dbias && begin == 0)
      add_slices(plan.bias_sums + group * plan.blocks.vectors * kWidth, plan.slices, plan.bias_size(), targets, dbias + group * targets);
  });
}

}  // namespace convista::CONVISTA_TARGET
