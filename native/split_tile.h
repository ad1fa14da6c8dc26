// sums += A × B in tiles of 16 × 16, as in bfloat16_tile.h, of matrices in three parts (split.h), along runs of tiles.
#pragma once
#include "bfloat16_tile.h"
#include "split.h"

namespace convista::CONVISTA_TARGET {

// Sixteen numbers each of two rows, as pairs; null is a row of zeros. Parts lie `part` apart.
inline void pack_split_pair(const float* first, const float* second, int64_t lanes, Bfloat16* to, int64_t part, Strange& strange) {
  for (int64_t i = 0; i < kTile; i += kWidth) {
    const int live = static_cast<int>(between(0, lanes - i, kWidth));
    const Vector low = first && live ? load_lanes(first + i, live) : Vector{}, high = second && live ? load_lanes(second + i, live) : Vector{};
    strange.see(low), strange.see(high);
    const Parts lows = split(low), highs = split(high);
    CONVISTA_UNROLL
    for (int number = 0; number < kParts; ++number) {
      const Words pairs = (reinterpret_cast<Words>(lows.part[number]) >> 16) | (reinterpret_cast<Words>(highs.part[number]) & 0xffff0000u);
      std::memcpy(to + number * part + 2 * i, &pairs, sizeof pairs);
    }
  }
}

// A's and B's tiles for some steps, in numbers from where A and B begin.
struct TileRun {
  int64_t a, b, steps;
};

struct SplitProduct {
  const Bfloat16 *a, *b;
  int64_t a_step, b_step;    // from step to step of a run
  int64_t a_lower, b_right;  // to the second tile of rows and of columns
  int64_t a_part, b_part;    // from part to part
  int64_t a_row;             // from row to row of a tile; those of B follow each other
  const TileRun *runs, *end;
  float* sums;  // a row of the sums: two tiles
  bool add;     // to what is there; otherwise the sums begin at zero
};

constexpr int64_t kSumsRow = 2 * kTile, kSums = kSumsRow * 2 * kTile;

#if defined(__AMX_BF16__)

// Neighbours in the order of the six products share a part of A or of B, so that each costs four products for two loads. `meanwhile` is
// called at every step: tiles multiply for 384 cycles on their own, in which vectors can split and write other numbers.
template <int Rows, int Columns, typename Meanwhile>
inline void multiply_runs(const SplitProduct& p, Meanwhile& meanwhile) {
  constexpr size_t kRowBytes = 64;
  const size_t a_row = static_cast<size_t>(p.a_row) * sizeof(Bfloat16);
  begin_sums<Rows, Columns>(p.sums, kSumsRow, p.add);
  for (const TileRun* run = p.runs; run < p.end; ++run) {
    const Bfloat16 *a = p.a + run->a, *b = p.b + run->b;
    const auto load_a = [&](int64_t part) {
      _tile_loadd(4, a + part * p.a_part, a_row);
      if constexpr (Rows > 1) _tile_loadd(5, a + p.a_lower + part * p.a_part, a_row);
    };
    const auto load_b = [&](int64_t part) {
      _tile_loadd(6, b + part * p.b_part, kRowBytes);
      if constexpr (Columns > 1) _tile_loadd(7, b + p.b_right + part * p.b_part, kRowBytes);
    };
    const auto multiply = [] {
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (Columns > 1) _tile_dpbf16ps(1, 4, 7);
      if constexpr (Rows > 1) _tile_dpbf16ps(2, 5, 6);
      if constexpr (Rows > 1 && Columns > 1) _tile_dpbf16ps(3, 5, 7);
    };
    for (int64_t step = 0; step < run->steps; ++step, a += p.a_step, b += p.b_step) {
      load_a(0), load_b(2), multiply();
      load_b(1), multiply();
      meanwhile();
      load_a(1), multiply();
      load_b(0), multiply();
      load_a(2), multiply();
      load_a(0), multiply();
    }
  }
  end_sums<Rows, Columns>(p.sums, kSumsRow);
}

#else

// For tests on processors without tiles: nobody calls these kernels there, vectors of float32 are faster.
template <int Rows, int Columns, typename Meanwhile>
inline void multiply_runs(const SplitProduct& p, Meanwhile& meanwhile) {
  constexpr int kProducts[6][2] = {{0, 2}, {0, 1}, {1, 1}, {1, 0}, {2, 0}, {0, 0}};
  if (!p.add)
    for (int64_t i = 0; i < Rows * kTile; ++i) std::memset(p.sums + i * kSumsRow, 0, Columns * kTile * sizeof(float));
  for (const TileRun* run = p.runs; run < p.end; ++run)
    for (int64_t step = 0; step < run->steps; ++step, meanwhile())
      for (const auto& [a_part, b_part] : kProducts)
        for (int row = 0; row < Rows; ++row)
          for (int column = 0; column < Columns; ++column) {
            const Bfloat16* a = p.a + run->a + step * p.a_step + row * p.a_lower + a_part * p.a_part;
            const Bfloat16* b = p.b + run->b + step * p.b_step + column * p.b_right + b_part * p.b_part;
            multiply_tiles<1, 1>({a, p.a_row, b, 0, 1, p.sums + row * kTile * kSumsRow + column * kTile, kSumsRow, true});
          }
}

#endif

template <typename Meanwhile>
inline void multiply_runs(const SplitProduct& product, bool tall, bool wide, Meanwhile&& meanwhile) {
  if (tall) return wide ? multiply_runs<2, 2>(product, meanwhile) : multiply_runs<2, 1>(product, meanwhile);
  wide ? multiply_runs<1, 2>(product, meanwhile) : multiply_runs<1, 1>(product, meanwhile);
}

inline void multiply_runs(const SplitProduct& product, bool tall, bool wide) {
  multiply_runs(product, tall, wide, [] {});
}

}  // namespace convista::CONVISTA_TARGET
