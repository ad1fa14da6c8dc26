// sums += A × B in tiles of 16 × 16 float32, bfloat16 products in pairs: AMX tiles, vdpbf16ps, or float32 in registers.
//
// A is row-major. B comes in column tiles of 16: for every pair of rows 16 × 2 numbers, pair after pair. One step is 32 deep.
#pragma once
#include "bfloat16_vector.h"

namespace convista::CONVISTA_TARGET {

constexpr int64_t kTile = 16, kDepth = 32;
constexpr int64_t kTileSize = kTile * kDepth;  // bfloat16 in a tile of A or B

struct TileProduct {
  const Bfloat16* a;
  int64_t a_stride;  // between rows
  const Bfloat16* b;
  int64_t b_stride;  // between column tiles
  int64_t steps;
  float* sums;
  int64_t sums_stride;  // between rows
  bool add;             // to what is there; otherwise the sums begin at zero
};

#if defined(__AMX_BF16__)

// Eight tiles of 16 rows of 64 bytes. Constant memory: GCC 12 believes that loading the configuration reads its first 8 bytes.
struct alignas(64) TileShape {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_of_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
inline constexpr TileShape kTileShape;

// GCC 12 does not know either that tile loads read and tile stores write memory.
inline void memory_is_read_and_written() { asm volatile("" ::: "memory"); }

// Tiles are configured while this lives. Threads of a pool are shared with others, so the tiles are released at once.
class TileRegisters {
 public:
  TileRegisters() { _tile_loadconfig(&kTileShape); }
  ~TileRegisters() { _tile_release(); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;
};

// Sums live in tiles 0 and 1, and 2 and 3 below them: what is there already, or zeros.
template <int Rows, int Columns>
inline void begin_sums(const float* sums, int64_t stride, bool add) {
  const size_t bytes = static_cast<size_t>(stride) * sizeof(float);
  const float* lower = sums + kTile * stride;
  memory_is_read_and_written();
  if (add) {
    _tile_loadd(0, sums, bytes);
    if constexpr (Columns > 1) _tile_loadd(1, sums + kTile, bytes);
    if constexpr (Rows > 1) _tile_loadd(2, lower, bytes);
    if constexpr (Rows > 1 && Columns > 1) _tile_loadd(3, lower + kTile, bytes);
  } else {
    _tile_zero(0);
    if constexpr (Columns > 1) _tile_zero(1);
    if constexpr (Rows > 1) _tile_zero(2);
    if constexpr (Rows > 1 && Columns > 1) _tile_zero(3);
  }
}

template <int Rows, int Columns>
inline void end_sums(float* sums, int64_t stride) {
  const size_t bytes = static_cast<size_t>(stride) * sizeof(float);
  float* lower = sums + kTile * stride;
  _tile_stored(0, sums, bytes);
  if constexpr (Columns > 1) _tile_stored(1, sums + kTile, bytes);
  if constexpr (Rows > 1) _tile_stored(2, lower, bytes);
  if constexpr (Rows > 1 && Columns > 1) _tile_stored(3, lower + kTile, bytes);
  memory_is_read_and_written();
}

// Two by two: four products for four loads.
template <int Rows, int Columns>
inline void multiply_tiles(const TileProduct& p) {
  const size_t a_stride = static_cast<size_t>(p.a_stride) * sizeof(Bfloat16);
  begin_sums<Rows, Columns>(p.sums, p.sums_stride, p.add);
  const Bfloat16 *a = p.a, *a_lower = p.a + kTile * p.a_stride, *b = p.b, *b_right = p.b + p.b_stride;
  for (int64_t step = 0; step < p.steps; ++step) {
    _tile_loadd(6, b, 64);
    _tile_loadd(4, a, a_stride);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (Columns > 1) {
      _tile_loadd(7, b_right, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (Rows > 1) {
      _tile_loadd(5, a_lower, a_stride);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (Rows > 1 && Columns > 1) _tile_dpbf16ps(3, 5, 7);
    a += kDepth, a_lower += kDepth, b += kTileSize, b_right += kTileSize;
  }
  end_sums<Rows, Columns>(p.sums, p.sums_stride);
}

#else

class TileRegisters {
 public:
  TileRegisters() {}
  ~TileRegisters() {}
};

inline uint32_t pair_at(const Bfloat16* from) {
  uint32_t pair;
  std::memcpy(&pair, from, sizeof pair);
  return pair;
}

inline Words words_at(const Bfloat16* from) {
  Words words;
  std::memcpy(&words, from, sizeof words);
  return words;
}

// The pair's first number is the lower half of a word.
struct Factors {
#if defined(__AVX512BF16__)
  __m512bh pairs;
  explicit Factors(Words words) : pairs(reinterpret_cast<__m512bh>(words)) {}
#else
  Vector first, second;
  explicit Factors(Words words)
      : first(reinterpret_cast<Vector>(words << 16)), second(reinterpret_cast<Vector>(words & 0xffff0000u)) {}
#endif
};

inline Vector add_products(Vector sum, const Factors& a, const Factors& b) {
#if defined(__AVX512BF16__)
  return _mm512_dpbf16_ps(sum, a.pairs, b.pairs);
#else
  return sum + a.first * b.first + a.second * b.second;
#endif
}

// `Rows` rows and one tile of columns.
template <int Rows>
inline void multiply_rows(const TileProduct& p) {
  constexpr int kVectorsOfTile = kTile / kWidth;
  Vector sums[Rows][kVectorsOfTile];
  CONVISTA_UNROLL
  for (int r = 0; r < Rows; ++r)
    CONVISTA_UNROLL
    for (int v = 0; v < kVectorsOfTile; ++v) sums[r][v] = p.add ? load(p.sums + r * p.sums_stride + v * kWidth) : Vector{};
  for (int64_t pair = 0; pair < p.steps * kDepth / 2; ++pair) {
    const Bfloat16* b = p.b + pair * 2 * kTile;
    CONVISTA_UNROLL
    for (int v = 0; v < kVectorsOfTile; ++v) {
      const Factors column(words_at(b + v * 2 * kWidth));
      CONVISTA_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const Factors row(Words{} + pair_at(p.a + r * p.a_stride + 2 * pair));
        sums[r][v] = add_products(sums[r][v], row, column);
      }
    }
  }
  CONVISTA_UNROLL
  for (int r = 0; r < Rows; ++r)
    CONVISTA_UNROLL
    for (int v = 0; v < kVectorsOfTile; ++v) store(p.sums + r * p.sums_stride + v * kWidth, sums[r][v]);
}

template <int Rows, int Columns>
inline void multiply_tiles(const TileProduct& p) {
  constexpr int kRowsTogether = kWidth == 16 ? 8 : kWidth == 8 ? 4 : 2;
  for (int column = 0; column < Columns; ++column)
    for (int64_t row = 0; row < Rows * kTile; row += kRowsTogether) {
      TileProduct part = p;
      part.a += row * p.a_stride;
      part.b += column * p.b_stride;
      part.sums += row * p.sums_stride + column * kTile;
      multiply_rows<kRowsTogether>(part);
    }
}

#endif

// `rows` and `columns` count tiles; sums lie tile by tile where A and B say.
inline void multiply_tiles(TileProduct p, int64_t rows, int64_t columns) {
  const Bfloat16* a = p.a;
  float* sums = p.sums;
  for (int64_t column = 0; column < columns; column += 2) {
    const bool wide = column + 1 < columns;
    p.a = a;
    p.sums = sums + column * kTile;
    for (int64_t row = 0; row < rows; row += 2) {
      if (row + 1 < rows) {
        wide ? multiply_tiles<2, 2>(p) : multiply_tiles<2, 1>(p);
      } else {
        wide ? multiply_tiles<1, 2>(p) : multiply_tiles<1, 1>(p);
      }
      p.a += 2 * kTile * p.a_stride;
      p.sums += 2 * kTile * p.sums_stride;
    }
    p.b += 2 * p.b_stride;
  }
}

}  // namespace convista::CONVISTA_TARGET
