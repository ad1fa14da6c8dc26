// Weights of a gather in three bfloat16 parts, as tiles of columns.
#pragma once
#include "gather.h"
#include "split_tile.h"

namespace convista::CONVISTA_TARGET {

// A step of a column tile: its parts.
constexpr int64_t kWeightTile = kParts * kTileSize;

constexpr int64_t kPackedThatStays = 1024 * 1024;  // bytes, in the second-level cache
constexpr int64_t kPortionBytes = 256 * 1024;      // of two column tiles, where they do not

struct SplitWeights {
  Gather gather;
  Bfloat16* packed;  // column tiles × taps × depth tiles × parts × tile

  int64_t depth_tiles() const { return divide_up(gather.source_channels, kDepth); }
  int64_t column_tiles() const { return divide_up(gather.target_channels, kTile); }
  int64_t column_size() const { return gather.taps() * depth_tiles() * kWeightTile; }
  int64_t size() const { return column_tiles() * column_size(); }
  int64_t tasks() const { return column_tiles() * gather.taps(); }
  bool stays() const { return size() * static_cast<int64_t>(sizeof(Bfloat16)) <= kPackedThatStays; }
  int64_t depth_of_portion() const {
    const int64_t bytes = gather.taps() * 2 * kWeightTile * static_cast<int64_t>(sizeof(Bfloat16));
    return between(1, kPortionBytes / larger(1, bytes), depth_tiles());
  }
};

inline Bfloat16* weight_memory(int64_t numbers, Workers& workers) {
  return static_cast<Bfloat16*>(workers.shared(static_cast<size_t>(larger(numbers, 1)) * sizeof(Bfloat16)));
}

// One tap of one column tile. w as it is: rows are (tap, input channel), columns output channels.
inline void pack_split_forward(const SplitWeights& weights, const float* w, int64_t task, Flag& strange) {
  const Gather& gather = weights.gather;
  const int64_t tap = task % gather.taps(), tile = task / gather.taps(), channels = gather.source_channels;
  const int64_t lanes = smaller(kTile, gather.target_channels - tile * kTile);
  const float* from = w + tap * channels * gather.target_channels + tile * kTile;
  Bfloat16* to = weights.packed + tile * weights.column_size() + tap * weights.depth_tiles() * kWeightTile;
  Strange seen;
  const auto row_at = [&](int64_t row) { return row < channels ? from + row * gather.target_channels : nullptr; };
  for (int64_t first = 0; first < channels; first += kDepth, to += kWeightTile)
    for (int64_t pair = 0; pair < kDepth / 2; ++pair)
      pack_split_pair(row_at(first + 2 * pair), row_at(first + 2 * pair + 1), lanes, to + pair * 2 * kTile, kTileSize, seen);
  if (seen.seen()) strange.raise();
}

// Rows are (tap, output channel), columns input channels: w is (tap, input channel, output channel).
inline void pack_split_transposed(const SplitWeights& weights, const int64_t kernel[3], const float* w, int64_t task, Flag& strange) {
  const Gather& gather = weights.gather;
  const int64_t tap = task % gather.taps(), tile = task / gather.taps(), channels = gather.source_channels;
  const int64_t lanes = smaller(kTile, gather.target_channels - tile * kTile);
  const float* from = w + (kernel_element(gather, kernel, tap) * gather.target_channels + tile * kTile) * channels;
  Bfloat16* to = weights.packed + tile * weights.column_size() + tap * weights.depth_tiles() * kWeightTile;
  Strange seen;
  for (int64_t first = 0; first < channels; first += kDepth, to += kWeightTile) {
    alignas(64) Square squares[kParts] = {};
    for (int64_t lane = 0; lane < lanes; ++lane) {
      alignas(64) Bfloat16 numbers[kParts * kDepth] = {};
      split_row(from + lane * channels + first, smaller(kDepth, channels - first), numbers, kDepth, seen);
      for (int part = 0; part < kParts; ++part) std::memcpy(squares[part].words[lane], numbers + part * kDepth, kDepth * sizeof(Bfloat16));
    }
    for (int part = 0; part < kParts; ++part) transpose(squares[part], reinterpret_cast<uint32_t*>(to + part * kTileSize), kTile);
  }
  if (seen.seen()) strange.raise();
}

}  // namespace convista::CONVISTA_TARGET
