// Vectors of float32 as wide as the instruction set that this translation unit is compiled for.
//
// Compile with -std=c++20 -O3 -fno-math-errno -ffp-contract=fast (ISO mode turns contraction off, and with it the fused
// multiply-add that everything here is built on). Never -ffast-math: NaN and infinities must come through.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX__)
#include <immintrin.h>
#endif
#ifndef CONVISTA_TARGET
#error "CONVISTA_TARGET names the namespace of this instruction set: portable, avx2 or avx512"
#endif

namespace convista::CONVISTA_TARGET {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
constexpr bool kManyRegisters = true;
#elif defined(__AVX__)
constexpr int kWidth = 8;
constexpr bool kManyRegisters = false;
#elif defined(__aarch64__)
constexpr int kWidth = 4;
constexpr bool kManyRegisters = true;
#else
constexpr int kWidth = 4;
constexpr bool kManyRegisters = false;
#endif

typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));
typedef float UnalignedVector __attribute__((vector_size(kWidth * sizeof(float)), aligned(4), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const UnalignedVector*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<UnalignedVector*>(to) = value; }
// Minus keeps the sign of −0.0, which plus would lose.
inline Vector fill(float value) { return value - Vector{}; }
// NaN is not below zero, so it stays.
inline Vector relu_of(Vector value) { return value < Vector{} ? Vector{} : value; }

#if defined(__AVX2__) && !defined(__AVX512F__)
inline __m256i first_lanes(int lanes) {
  static constexpr int32_t kOnThenOff[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kOnThenOff + 8 - lanes));
}
#endif

// The first `lanes` elements; the others are zero and their memory is not touched.
inline Vector load_part(const float* from, int lanes) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << lanes) - 1), from);
#elif defined(__AVX2__)
  return _mm256_maskload_ps(from, first_lanes(lanes));
#else
  Vector value{};
  for (int lane = 0; lane < lanes; ++lane) value[lane] = from[lane];
  return value;
#endif
}

inline void store_part(float* to, Vector value, int lanes) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << lanes) - 1), value);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(to, first_lanes(lanes), value);
#else
  for (int lane = 0; lane < lanes; ++lane) to[lane] = value[lane];
#endif
}

// The first `lanes` of 1 … kWidth elements. A mask costs AVX-512 nothing, so only the others ask whether the vector is full.
inline Vector load_lanes(const float* from, int lanes) {
#if defined(__AVX512F__)
  return load_part(from, lanes);
#else
  return lanes == kWidth ? load(from) : load_part(from, lanes);
#endif
}

inline void store_lanes(float* to, Vector value, int lanes) {
#if defined(__AVX512F__)
  store_part(to, value, lanes);
#else
  if (lanes == kWidth) {
    store(to, value);
  } else {
    store_part(to, value, lanes);
  }
#endif
}

// Large results go past the caches: written the usual way, memory is first read, and what is needed sooner has to leave. Measured where
// nothing is in the caches before, as in a step of training: batch normalisation of 4 to 34 MB takes a sixth less time, also where the next
// layer reads the result at once.
constexpr int64_t kStreamedBytes = 4 * 1024 * 1024;

// Whether all vectors of rows of `channels` numbers may be streamed.
inline bool may_stream(const float* to, int64_t rows, int64_t channels) {
  return rows * channels * static_cast<int64_t>(sizeof(float)) >= kStreamedBytes && channels % kWidth == 0 &&
         reinterpret_cast<uintptr_t>(to) % sizeof(Vector) == 0;
}

inline void stream(float* to, Vector value) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, value);
#elif defined(__AVX__)
  _mm256_stream_ps(to, value);
#else
  store(to, value);
#endif
}

// At the end of a task: other threads then see what it streamed.
inline void end_of_stream() {
#if defined(__AVX__)
  _mm_sfence();
#endif
}

inline void write_lanes(float* to, Vector value, int lanes, bool streamed) { streamed ? stream(to, value) : store_lanes(to, value, lanes); }

// Register tiles are arrays of vectors: every loop over one must be unrolled whole, or the array lives in memory (GCC 12 at -O3
// gives up on nested loops of 24, which cost a tenth of the speed).
#define CONVISTA_UNROLL _Pragma("GCC unroll 32")

// Holds a value that is used several times in a register; the compiler would rather load it again for every use.
inline void keep(Vector& value) {
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#elif defined(__SSE__)
  asm("" : "+x"(value));
#elif defined(__aarch64__)
  asm("" : "+w"(value));
#endif
}

typedef int32_t Lanes __attribute__((vector_size(kWidth * sizeof(float))));

// Sums of neighbours: those of a, then those of b.
inline Vector add_neighbours(Vector a, Vector b) {
  Lanes even{};
  for (int lane = 0; lane < kWidth; ++lane) even[lane] = 2 * lane;
  return __builtin_shuffle(a, b, even) + __builtin_shuffle(a, b, even + 1);
}

// Rows become columns: every round lays the first half of the vectors between the second half, element by element.
inline void transpose(Vector (&rows)[kWidth]) {
  Lanes low{};
  for (int lane = 0; lane < kWidth; ++lane) low[lane] = lane / 2 + lane % 2 * kWidth;
  const Lanes high = low + kWidth / 2;
  CONVISTA_UNROLL
  for (int round = 1; round < kWidth; round *= 2) {
    Vector laid[kWidth];
    CONVISTA_UNROLL
    for (int i = 0; i < kWidth / 2; ++i) {
      laid[2 * i] = __builtin_shuffle(rows[i], rows[i + kWidth / 2], low);
      laid[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + kWidth / 2], high);
    }
    CONVISTA_UNROLL
    for (int i = 0; i < kWidth; ++i) rows[i] = laid[i];
  }
}

// The sum over the lanes of each vector: a tree of kWidth − 1 additions makes the totals of kWidth vectors. Writes up to
// kWidth − 1 floats too many.
template <int Count>
inline void sum_lanes(const Vector (&vectors)[Count], float* totals) {
  CONVISTA_UNROLL
  for (int first = 0; first < Count; first += kWidth) {
    Vector tree[kWidth];
    CONVISTA_UNROLL
    for (int i = 0; i < kWidth; ++i) tree[i] = first + i < Count ? vectors[first + i] : Vector{};
    CONVISTA_UNROLL
    for (int left = kWidth / 2; left > 0; left /= 2)
      CONVISTA_UNROLL
      for (int i = 0; i < left; ++i) tree[i] = add_neighbours(tree[2 * i], tree[2 * i + 1]);
    store(totals + first, tree[0]);
  }
}

// begin … end − 1.
struct Range {
  int64_t begin, end;
};

inline int64_t divide_up(int64_t amount, int64_t by) { return (amount + by - 1) / by; }
inline int64_t rounded_up(int64_t amount, int64_t to) { return divide_up(amount, to) * to; }
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t between(int64_t low, int64_t value, int64_t high) { return larger(low, smaller(value, high)); }

}  // namespace convista::CONVISTA_TARGET
