// Vectors of float32 from and to bfloat16 in memory. Rounding is to nearest, ties to even; NaN stays NaN.
#pragma once
#include <cstring>

#include "bfloat16.h"
#include "vector.h"

namespace convista::CONVISTA_TARGET {

typedef uint32_t Words __attribute__((vector_size(kWidth * sizeof(uint32_t))));
typedef uint16_t Halves __attribute__((vector_size(kWidth * sizeof(uint16_t))));

inline Vector load(const Bfloat16* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return reinterpret_cast<Vector>(__builtin_convertvector(halves, Words) << 16);
}

// bfloat16 in the upper half of each word, zeros below.
inline Words rounded(Vector value) {
  const Words bits = reinterpret_cast<Words>(value);
  const Words nearest = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (value == value ? nearest : bits | 0x400000u) & 0xffff0000u;
}

inline void store(Bfloat16* to, Vector value) {
#if defined(__AVX512BF16__)
  const __m256bh halves = _mm512_cvtneps_pbh(value);
#else
  const Halves halves = __builtin_convertvector(rounded(value) >> 16, Halves);
#endif
  std::memcpy(to, &halves, sizeof halves);
}

inline void store_lanes(Bfloat16* to, Vector value, int lanes) {
  if (lanes == kWidth) return store(to, value);
  Bfloat16 all[kWidth];
  store(all, value);
  std::memcpy(to, all, static_cast<size_t>(lanes) * sizeof(Bfloat16));
}

inline float widened(Bfloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// The number that bfloat16 makes of a float32, as its bits.
inline uint16_t narrowed(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>(value == value ? (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16 : (bits | 0x400000u) >> 16);
}

// From one format to another.
inline void copy_row(const float* from, int64_t count, float* to) { std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float)); }

inline void copy_row(const Bfloat16* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) store(to + i, load(from + i));
  for (; i < count; ++i) to[i] = widened(from[i]);
}

inline void copy_row(const float* from, int64_t count, Bfloat16* to) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) store(to + i, load(from + i));
  for (; i < count; ++i) to[i].bits = narrowed(from[i]);
}

// 16 × 16 words, rows and columns exchanged.
struct Square {
  uint32_t words[16][16];
};

inline void transpose(const Square& from, uint32_t* to, int64_t row_stride) {
#if defined(__AVX512F__)
  // Masks that let everything through: GCC 12 warns of uninitialised values in its own header without them.
  constexpr __mmask16 kAll = 0xffff;
  constexpr __mmask8 kAll8 = 0xff;
  __m512i a[16], b[16];
  CONVISTA_UNROLL
  for (int i = 0; i < 16; ++i) a[i] = _mm512_load_si512(from.words[i]);
  CONVISTA_UNROLL
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_maskz_unpacklo_epi32(kAll, a[i], a[i + 1]);
    b[i + 1] = _mm512_maskz_unpackhi_epi32(kAll, a[i], a[i + 1]);
  }
  CONVISTA_UNROLL
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_maskz_unpacklo_epi64(kAll8, b[i], b[i + 2]);
    a[i + 1] = _mm512_maskz_unpackhi_epi64(kAll8, b[i], b[i + 2]);
    a[i + 2] = _mm512_maskz_unpacklo_epi64(kAll8, b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_maskz_unpackhi_epi64(kAll8, b[i + 1], b[i + 3]);
  }
  // a[4q + j] holds column 4l + j of rows 4q … 4q + 3 in its 128-bit lane l.
  CONVISTA_UNROLL
  for (int j = 0; j < 4; ++j) {
    const __m512i low = _mm512_maskz_shuffle_i32x4(kAll, a[j], a[4 + j], 0x88), high = _mm512_maskz_shuffle_i32x4(kAll, a[8 + j], a[12 + j], 0x88);
    const __m512i low_odd = _mm512_maskz_shuffle_i32x4(kAll, a[j], a[4 + j], 0xdd), high_odd = _mm512_maskz_shuffle_i32x4(kAll, a[8 + j], a[12 + j], 0xdd);
    _mm512_storeu_si512(to + j * row_stride, _mm512_maskz_shuffle_i32x4(kAll, low, high, 0x88));
    _mm512_storeu_si512(to + (4 + j) * row_stride, _mm512_maskz_shuffle_i32x4(kAll, low_odd, high_odd, 0x88));
    _mm512_storeu_si512(to + (8 + j) * row_stride, _mm512_maskz_shuffle_i32x4(kAll, low, high, 0xdd));
    _mm512_storeu_si512(to + (12 + j) * row_stride, _mm512_maskz_shuffle_i32x4(kAll, low_odd, high_odd, 0xdd));
  }
#else
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 16; ++column) to[column * row_stride + row] = from.words[row][column];
#endif
}

}  // namespace convista::CONVISTA_TARGET
