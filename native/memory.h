// Lays several arrays out in one piece of memory, each 64-byte aligned: first count, then take the same things in the same order.
#pragma once
#include <cstddef>
#include "vector.h"

namespace convista::CONVISTA_TARGET {

class Layout {
 public:
  explicit Layout(void* memory = nullptr) : memory_(static_cast<char*>(memory)) {}

  template <typename Item>
  Item* take(int64_t count) {
    auto* items = memory_ ? reinterpret_cast<Item*>(memory_ + bytes_) : nullptr;
    bytes_ += (static_cast<std::size_t>(count) * sizeof(Item) + 63) / 64 * 64;
    return items;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  char* memory_;
  std::size_t bytes_ = 0;
};

}  // namespace convista::CONVISTA_TARGET
