// Memory that a test hands to a kernel.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>

namespace convista {

// Misaligned, and exactly as long as needed, so that the address sanitizer sees a step too far.
template <typename Item>
struct Buffer {
  Buffer(int64_t size, int skip) : memory(new Item[size + skip]), data(memory.get() + skip), size(size) {
    std::memset(memory.get(), 0xff, static_cast<size_t>(size + skip) * sizeof(Item));
  }
  std::unique_ptr<Item[]> memory;
  Item* data;
  int64_t size;
};

template <typename Item>
bool same(const Buffer<Item>& a, const Buffer<Item>& b) {
  return std::memcmp(a.data, b.data, static_cast<size_t>(a.size) * sizeof(Item)) == 0;
}

}  // namespace convista
