// A float32 as the sum of three bfloat16 parts, each the nearest to what the parts before it leave: 3 × 8 bits of significand are the
// 24 of a float32.
//
// a·b = (a₀ + a₁ + a₂)(b₀ + b₁ + b₂), of which the six products aᵢbⱼ with i + j ≤ 2 are added, in float32. The three left out are less
// than 2⁻²⁴ |a·b| together, no more than rounding one float32 may do. Where a processor multiplies bfloat16 in tiles, six such products
// take less time than one of float32 in vectors: AMX multiplies 512 pairs a cycle, AVX-512 32.
// Source: G. Henry, P. Tang, A. Heinecke, «Leveraging the bfloat16 artificial intelligence datatype for higher-precision
// computations», IEEE Symposium on Computer Arithmetic, 2019.
//
// Infinities do not survive: ∞ = ∞ + 0 + 0, and ∞·0 is NaN; nor do sums that overflow, whose parts may have different signs. So
// splitting and finishing tell whether they met a number that is not finite, or that would round to infinity, and the convolution is then
// done by vectors. Tiles take parts below 2⁻¹²⁶ for zero, so numbers below 2⁻¹⁰³ lose the precision that their parts would have had.
#pragma once
#include "bfloat16_vector.h"

namespace convista::CONVISTA_TARGET {

constexpr int kParts = 3;
constexpr uint32_t kRoundsToInfinity = 0x7f7f8000u;  // of the bits without the sign

inline Vector nearest_part(Vector value) {
#if defined(__AVX512BF16__)
  const auto halves = reinterpret_cast<Halves>(_mm512_cvtneps_pbh(value));
  return reinterpret_cast<Vector>(__builtin_convertvector(halves, Words) << 16);
#else
  return reinterpret_cast<Vector>(rounded(value));
#endif
}

struct Parts {
  Vector part[kParts];
};

// What the first two parts leave of 24 bits are at most 8, so that the third is exact, unless it is too small for bfloat16's exponents:
// then there are bits below its upper half, which are dropped where it is stored.
inline Parts split(Vector value) {
  const Vector first = nearest_part(value), rest = value - first, second = nearest_part(rest);
  return {{first, second, rest - second}};
}

// Remembers whether there was a number that cannot be split.
class Strange {
 public:
  void see(Vector value) {
    const Words magnitude = reinterpret_cast<Words>(value) & 0x7fffffffu;
    largest_ = magnitude > largest_ ? magnitude : largest_;
  }
  bool seen() const {
    bool any = false;
    for (int lane = 0; lane < kWidth; ++lane) any = any || largest_[lane] >= kRoundsToInfinity;
    return any;
  }

 private:
  Words largest_{};
};

// Raised by any task, read when all are done.
class Flag {
 public:
  void raise() { __atomic_store_n(&raised_, true, __ATOMIC_RELAXED); }
  bool raised() const { return __atomic_load_n(&raised_, __ATOMIC_RELAXED); }

 private:
  bool raised_ = false;
};

// Parts of `count` numbers, each part's `plane` numbers after the one before.
inline void split_row(const float* from, int64_t count, Bfloat16* to, int64_t plane, Strange& strange) {
  for (int64_t i = 0; i < count; i += kWidth) {
    const int lanes = static_cast<int>(smaller(kWidth, count - i));
    const Vector value = load_lanes(from + i, lanes);
    strange.see(value);
    const Parts parts = split(value);
    CONVISTA_UNROLL
    for (int part = 0; part < kParts; ++part) store_lanes(to + part * plane + i, parts.part[part], lanes);
  }
}

}  // namespace convista::CONVISTA_TARGET
