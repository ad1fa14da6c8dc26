// Splits cells into bfloat16 parts a little at a time, while tiles multiply others.
#pragma once
#include "split_tile.h"

namespace convista::CONVISTA_TARGET {

#if defined(__AVX512BF16__)
// What sixteen bfloat16 are in float32.
inline Vector widened_halves(Halves halves) { return reinterpret_cast<Vector>(__builtin_convertvector(halves, Words) << 16); }
#endif

inline void clear_depth(Bfloat16* to, int64_t part) {
  for (int number = 0; number < kParts; ++number) std::memset(static_cast<void*>(to + number * part), 0, kDepth * sizeof(Bfloat16));
}

// Parts of up to 32 channels of a cell, zeros behind them.
inline void split_depth(const float* from, int64_t live, Bfloat16* to, int64_t part, Strange& strange) {
#if defined(__AVX512BF16__)
  Vector low = load_lanes(from, static_cast<int>(smaller(live, kWidth)));
  Vector high = live > kWidth ? load_lanes(from + kWidth, static_cast<int>(live - kWidth)) : Vector{};
  strange.see(low), strange.see(high);
  CONVISTA_UNROLL
  for (int number = 0; number < kParts; ++number) {
    typedef uint16_t AllHalves __attribute__((vector_size(64)));
    const auto nearest = reinterpret_cast<AllHalves>(_mm512_cvtne2ps_pbh(high, low));
    std::memcpy(static_cast<void*>(to + number * part), &nearest, sizeof nearest);
    low -= widened_halves(__builtin_shufflevector(nearest, nearest, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    high -= widened_halves(__builtin_shufflevector(nearest, nearest, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31));
  }
#else
  if (live < kDepth) clear_depth(to, part);
  split_row(from, live, to, part, strange);
#endif
}

// A cell to be split: null where it is border.
struct SplitCell {
  const float* from;
  Bfloat16* to;
};

// Splits a list of cells, a little at a time.
class CellSplitter {
 public:
  // A part lies `part` after the one before it, and 32 channels `step` after those before them.
  CellSplitter(int64_t channels, int64_t part, int64_t step, Strange& strange) : channels_(channels), part_(part), step_(step), strange_(strange) {}
  void begin(const SplitCell* cells, int64_t count) { cell_ = cells, end_ = cells + count, channel_ = 0; }
  int64_t steps() const { return (end_ - cell_) * divide_up(channels_, kDepth); }
  void some(int64_t steps) {
    Strange strange = strange_;
    const SplitCell* cell = cell_;
    int64_t channel = channel_;
    for (; steps > 0 && cell < end_; --steps) {
      Bfloat16* to = cell->to + channel / kDepth * step_;
      if (cell->from) {
        split_depth(cell->from + channel, smaller(kDepth, channels_ - channel), to, part_, strange);
      } else {
        clear_depth(to, part_);
      }
      channel += kDepth;
      if (channel >= channels_) ++cell, channel = 0;
    }
    cell_ = cell, channel_ = channel, strange_ = strange;
  }
  void rest() { some(steps()); }

 private:
  const SplitCell *cell_ = nullptr, *end_ = nullptr;
  int64_t channels_, channel_ = 0, part_, step_;
  Strange& strange_;
};

}  // namespace convista::CONVISTA_TARGET
