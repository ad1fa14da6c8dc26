// The most that the processor's float32 multiply-add units can do: what kernels are compared with.
#pragma once
#include "../vector.h"

namespace convista::CONVISTA_TARGET {

// Independent multiply-adds in registers, as many as a register tile has. Written out, because a loop over an array of sums may
// end up in memory; sum·factor + value, because an invariant product would be hoisted; different starts, or all sums are one.
inline double multiply_adds(long count, float seed) {
  const Vector factor = fill(seed), value = fill(seed * 0.5f);
  const auto start = [&](float step) { return fill(seed + step); };
  Vector a = start(1), b = start(2), c = start(3), d = start(4), e = start(5), f = start(6), g = start(7), h = start(8), i = start(9),
                 j = start(10), k = start(11), l = start(12);
  for (long repeat = 0; repeat < count; ++repeat) {
    a = a * factor + value, b = b * factor + value, c = c * factor + value, d = d * factor + value;
    e = e * factor + value, f = f * factor + value, g = g * factor + value, h = h * factor + value;
    i = i * factor + value, j = j * factor + value, k = k * factor + value, l = l * factor + value;
  }
  asm volatile("" : : "x"(a + b + c + d + e + f + g + h + i + j + k + l));
  return 2.0 * count * 12 * kWidth;
}

}  // namespace convista::CONVISTA_TARGET
