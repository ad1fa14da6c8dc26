// A number of 16 bits: the upper half of a float32.
#pragma once
#include <cstdint>
namespace convista {
struct Bfloat16 {
  uint16_t bits;
};
}  // namespace convista
