// Which convolutions of float32 are faster in three bfloat16 parts (split.h) than in vectors of float32, on a processor with tiles.
#pragma once
#include "depthwise.h"
#include "split_gather.h"
#include "split_kernel_gradient.h"

namespace convista::CONVISTA_TARGET {

// Cycles per position and picture, from measurements on two Sapphire Rapids cores at once: vectors of float32 reach 24 multiply-adds a
// cycle, tiles 80 of float32, counted with what fills them up; to split a number takes three, four where channels become rows, and to write
// a sum two and a half. (Alone, a core splits in two and writes in one; 1×1 convolutions of 128 channels were chosen by that, and took
// 6.2 instead of 5.0 ms on both.) A quarter more, because both come out alike within it.
struct SplitCost {
  double products, filled;        // multiply-adds; those of whole tiles
  double split, turned, written;  // numbers
  bool is_less() const { return products / 24 > 1.25 * (filled / 80 + 3 * split + 4 * turned + 2.5 * written); }
};

inline double filled_up(int64_t count, int64_t to) { return static_cast<double>(rounded_up(count, to)); }

// Rows of a stack that are kept split: planes of volumes would take hundreds of megabytes.
constexpr int64_t kMostKept = 16 * 1024 * 1024;

inline bool rows_fit(const Gather& gather) {
  const int lead = leading_axis(gather);
  const GatherAxis& axis = gather.axis[lead];
  const int64_t rows = larger(1, divide_up(kGradientPositions, larger(1, positions_of_row(gather, lead))));
  const int64_t cells = most_rows_seen(axis, smaller(rows, axis.positions)) * cells_of_row(gather, lead);
  const int64_t channels = cells * gather.source_channels + rows * positions_of_row(gather, lead) * gather.target_channels;
  return channels * kStack * kParts * static_cast<int64_t>(sizeof(Bfloat16)) <= kMostKept;
}

// Stacks filled to three quarters of whole tiles at least, and no groups: a group's channels seldom fill a tile.
inline bool fills_stacks(const ConvolutionGeometry& g) {
  return g.groups == 1 && g.batch > 0 && 4 * g.batch >= 3 * rounded_up(g.batch, kTile) && rows_fit(forward_gather(g)) &&
         rows_fit(class_gather(g, 0));
}

inline double cells_per_position(const ConvolutionGeometry& g) {
  double cells = 1;
  for (int i = 0; i < 3; ++i) cells *= static_cast<double>(g.in[i]) / static_cast<double>(larger(1, g.out[i]));
  return cells;
}

inline double taps_of(const ConvolutionGeometry& g) { return static_cast<double>(g.kernel[0] * g.kernel[1] * g.kernel[2]); }

inline double products_of(const ConvolutionGeometry& g) {
  return taps_of(g) * static_cast<double>(g.in_channels) * static_cast<double>(g.out_channels);
}

inline bool splits_forward(const ConvolutionGeometry& g) {
  const double filled = taps_of(g) * filled_up(g.in_channels, kDepth) * filled_up(g.out_channels, kTile);
  const double cells = cells_per_position(g) * static_cast<double>(g.in_channels);
  return fills_stacks(g) && SplitCost{products_of(g), filled, cells, 0, static_cast<double>(g.out_channels)}.is_less();
}

inline bool splits_input_gradient(const ConvolutionGeometry& g) {
  const double filled = taps_of(g) * filled_up(g.out_channels, kDepth) * filled_up(g.in_channels, kTile);
  const double classes = static_cast<double>(residue_classes(g));  // each splits dy anew
  const double cells = cells_per_position(g) * static_cast<double>(g.in_channels);
  return fills_stacks(g) && SplitCost{products_of(g), filled, classes * static_cast<double>(g.out_channels), 0, cells}.is_less();
}

inline bool splits_kernel_gradient(const ConvolutionGeometry& g) {
  const double filled = taps_of(g) * filled_up(g.in_channels, kTile) * filled_up(g.out_channels, kTile);
  const double parts = static_cast<double>(divide_up(g.in_channels, kGradientChannels));  // each splits dy anew
  const double turned = cells_per_position(g) * static_cast<double>(g.in_channels) + parts * static_cast<double>(g.out_channels);
  return fills_stacks(g) && SplitCost{products_of(g), filled, 0, turned, 0}.is_less();
}

}  // namespace convista::CONVISTA_TARGET
