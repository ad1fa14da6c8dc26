// Forward convolution and the gradient by the input: positions as rows, times weights, rounded to bfloat16 once, at the end.
#pragma once
#include "bfloat16_rows.h"
#include "memory.h"

namespace convista::CONVISTA_TARGET {

// A gather with its packed weights and its place in the list of tasks.
struct Bfloat16Job {
  Gather gather;
  Bfloat16* packed;  // groups × column tiles × steps × tile
  int64_t unit;      // positions of one task
  int64_t panel;     // of them whose rows are kept at once
  int64_t first_task, tasks;

  int64_t steps() const { return divide_up(gather.rows(), kDepth); }
  int64_t column_tiles() const { return divide_up(gather.group_targets(), kTile); }
  int64_t group_size() const { return column_tiles() * steps() * kTileSize; }
  int64_t stride() const { return row_length(gather.rows()); }
};

// Rows that meet all weights together: 32, which the first-level cache holds, while the weights come from the second. Long rows:
// at least 96, or weights that come from the third level are used too seldom.
constexpr int64_t kShortRows = 40 * 1024, kRowBytes = 128 * 1024;
constexpr int64_t kFewestPositions = 96, kMostUnitPositions = 512;

inline void plan_job(Bfloat16Job& job, int64_t first_task) {
  const int64_t row = job.stride() * static_cast<int64_t>(sizeof(Bfloat16)), fitting = kRowBytes / row / 32 * 32;
  job.panel = 32 * row <= kShortRows ? between(32, kShortRows / row / 32 * 32, 128) : between(kFewestPositions, fitting, kMostUnitPositions);
  job.unit = divide_up(256, job.panel) * job.panel;
  job.first_task = first_task;
  job.tasks = divide_up(job.gather.batch * job.gather.positions(), job.unit);
}

// Weight `row` of the packed matrix is `at(row)` with `row_stride` floats to the next channel of the target.
// Two rows and one column tile: 16 pairs.
inline void pack_pair(const float* first, const float* second, int64_t lanes, Bfloat16* to) {
  for (int64_t i = 0; i < kTile; i += kWidth) {
    const int live = static_cast<int>(between(0, lanes - i, kWidth));
    const Vector low = first && live ? load_lanes(first + i, live) : Vector{}, high = second && live ? load_lanes(second + i, live) : Vector{};
    const Words pairs = (rounded(low) >> 16) | rounded(high);
    std::memcpy(to + 2 * i, &pairs, sizeof pairs);
  }
}

// w as it is: rows are (tap, input channel), columns output channels.
inline void pack_forward(const Bfloat16Job& job, const float* w, int64_t task) {
  const Gather& gather = job.gather;
  const int64_t tiles = job.column_tiles(), tile = task % tiles, group = task / tiles, rows = gather.rows();
  const float* from = w + group * gather.group_targets() + tile * kTile;
  const int64_t lanes = smaller(kTile, gather.group_targets() - tile * kTile);
  Bfloat16* to = job.packed + group * job.group_size() + tile * job.steps() * kTileSize;
  for (int64_t row = 0; row < job.steps() * kDepth; row += 2, to += 2 * kTile) {
    pack_pair(row < rows ? from + row * gather.target_channels : nullptr, row + 1 < rows ? from + (row + 1) * gather.target_channels : nullptr,
              lanes, to);
  }
}

// Rows are (tap, output channel), columns input channels: w is (tap, input channel, output channel).
inline void pack_transposed(const Bfloat16Job& job, const int64_t kernel[3], const float* w, int64_t task) {
  const Gather& gather = job.gather;
  const int64_t tiles = job.column_tiles(), tile = task % tiles, group = task / tiles;
  const int64_t sources = gather.group_sources(), targets = gather.group_targets(), lanes = smaller(kTile, targets - tile * kTile);
  Bfloat16* to = job.packed + group * job.group_size() + tile * job.steps() * kTileSize;
  std::memset(to, 0, static_cast<size_t>(job.steps() * kTileSize) * sizeof(Bfloat16));
  for (int64_t tap = 0; tap < gather.taps(); ++tap) {
    const float* from = w + (kernel_element(gather, kernel, tap) * targets + tile * kTile) * gather.source_channels + group * sources;
    const int64_t first = tap * sources;
    int64_t done = 0;
    for (; first % 2 == 0 && done + kDepth <= sources; done += kDepth) {
      alignas(64) Square square{};
      for (int64_t lane = 0; lane < lanes; ++lane) {
        Bfloat16 numbers[kDepth];
        for (int64_t i = 0; i < kDepth; i += kWidth) store(numbers + i, load(from + lane * gather.source_channels + done + i));
        std::memcpy(square.words[lane], numbers, sizeof numbers);
      }
      transpose(square, reinterpret_cast<uint32_t*>(to + (first + done) * kTile), kTile);
    }
    for (; done < sources; ++done)
      for (int64_t lane = 0; lane < lanes; ++lane) {
        const int64_t row = first + done;
        to[row / 2 * 2 * kTile + 2 * lane + row % 2].bits = narrowed(from[lane * gather.source_channels + done]);
      }
  }
}

// Targets are bfloat16, or float32 for who goes on with the sums.
template <typename Number>
struct Bfloat16Call {
  const Bfloat16* source;
  const float* bias;
  bool relu;
  Number* target;
};

// Two whole column tiles.
template <bool Bias, bool Relu, typename Number>
inline void finish_whole_rows(const float* sums, int64_t rows, const Bfloat16Call<Number>& call, int64_t channel, const int64_t* targets) {
  constexpr int kParts = 2 * kTile / kWidth;
  Vector bias[kParts]{};
  if constexpr (Bias)
    for (int i = 0; i < kParts; ++i) bias[i] = load(call.bias + channel + i * kWidth);
  for (int64_t row = 0; row < rows; ++row, sums += 2 * kTile) {
    Number* to = call.target + targets[row] + channel;
    CONVISTA_UNROLL
    for (int i = 0; i < kParts; ++i) {
      Vector value = load(sums + i * kWidth);
      if constexpr (Bias) value += bias[i];
      if constexpr (Relu) value = relu_of(value);
      store(to + i * kWidth, value);
    }
  }
}

// Two column tiles of 32 rows at most: a block of sums small enough for the first-level cache.
template <typename Number>
void finish_rows(const float* sums, int64_t rows, const Bfloat16Call<Number>& call, int64_t channel, int64_t channels, const int64_t* targets) {
  if (channels == 2 * kTile) {
    if (call.bias) {
      return call.relu ? finish_whole_rows<true, true>(sums, rows, call, channel, targets)
                       : finish_whole_rows<true, false>(sums, rows, call, channel, targets);
    }
    return call.relu ? finish_whole_rows<false, true>(sums, rows, call, channel, targets)
                     : finish_whole_rows<false, false>(sums, rows, call, channel, targets);
  }
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < channels; i += kWidth) {
      const int lanes = static_cast<int>(smaller(kWidth, channels - i));
      Vector value = load(sums + row * 2 * kTile + i);
      if (call.bias) value += load_lanes(call.bias + channel + i, lanes);
      if (call.relu) value = relu_of(value);
      store_lanes(call.target + targets[row] + channel + i, value, lanes);
    }
}

template <typename Number>
void multiply_group(const Bfloat16Job& job, const Bfloat16Call<Number>& call, int64_t group, const Bfloat16* rows, int64_t count,
                           const int64_t* targets) {
  alignas(64) float sums[2 * kTile * 2 * kTile];
  const int64_t tiles = job.column_tiles(), of_group = job.gather.group_targets();
  for (int64_t tile = 0; tile < tiles; tile += 2)
    for (int64_t row = 0; row < count; row += 2 * kTile) {
      const int64_t live = smaller(2 * kTile, count - row);
      const Bfloat16* weights = job.packed + group * job.group_size() + tile * job.steps() * kTileSize;
      multiply_tiles({rows + row * job.stride(), job.stride(), weights, job.steps() * kTileSize, job.steps(), sums, 2 * kTile, false},
                     divide_up(live, kTile), smaller(2, tiles - tile));
      finish_rows(sums, live, call, group * of_group + tile * kTile, smaller(2 * kTile, of_group - tile * kTile), targets + row);
    }
}

// Whether the targets are all cells in their order, as they are without a stride.
inline bool targets_in_order(const Gather& gather) {
  for (const GatherAxis& axis : gather.axis)
    if (axis.positions != axis.target || axis.target_start != 0 || (axis.target_step != 1 && axis.positions > 1)) return false;
  return true;
}

inline void list_targets(const Gather& gather, int64_t first, int64_t count, Position position, int64_t* targets) {
  if (targets_in_order(gather)) {
    for (int64_t i = 0; i < count; ++i) targets[i] = (first + i) * gather.target_channels;
    return;
  }
  for (int64_t i = 0; i < count; ++i, next(gather, position)) targets[i] = target_offset(gather, position);
}

template <typename Number>
void gather_task(const Bfloat16Job& job, const Bfloat16Call<Number>& call, int64_t task, Workers& workers) {
  const Gather& gather = job.gather;
  const int64_t end = smaller((task + 1) * job.unit, gather.batch * gather.positions());
  const Segment all{0, gather.axis[0].taps * gather.axis[1].taps, 0, 0};
  auto* memory = static_cast<Bfloat16*>(workers.scratch(0, static_cast<size_t>(row_memory(job.panel, job.stride())) * sizeof(Bfloat16)));
  auto* targets = static_cast<int64_t*>(workers.scratch(1, static_cast<size_t>(job.panel) * sizeof(int64_t)));
  const Rows rows{memory, job.steps() * kDepth, job.stride()};
  const TileRegisters registers;
  Position position = position_at(gather, task * job.unit);
  for (int64_t first = task * job.unit; first < end; first += job.panel) {
    const int64_t count = smaller(job.panel, end - first);
    list_targets(gather, first, count, position, targets);
    const Position begin = position;
    for (int64_t group = 0; group < gather.groups; ++group) {
      position = begin;
      copy_rows(gather, call.source + group * gather.group_sources(), position, count, rounded_up(count, kTile), all, rows);
      multiply_group(job, call, group, memory, count, targets);
    }
  }
}

}  // namespace convista::CONVISTA_TARGET
