// Memory that a test hands to a kernel.
#pragma once
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace convista {

struct AlignedDelete {
  void operator()(void* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
};

// At a cache line's begin as XLA's buffers are, or `skip` items behind it; exactly as long as needed, so that the address sanitizer sees a
// step too far.
template <typename Item>
struct Buffer {
  Buffer(int64_t size, int skip)
      : memory(static_cast<Item*>(::operator new[](static_cast<size_t>(size + skip) * sizeof(Item), std::align_val_t{64}))),
        data(memory.get() + skip), size(size) {
    std::memset(static_cast<void*>(memory.get()), 0xff, static_cast<size_t>(size + skip) * sizeof(Item));
  }
  std::unique_ptr<Item[], AlignedDelete> memory;
  Item* data;
  int64_t size;
};

template <typename Item>
bool same(const Buffer<Item>& a, const Buffer<Item>& b) {
  return std::memcmp(a.data, b.data, static_cast<size_t>(a.size) * sizeof(Item)) == 0;
}

}  // namespace convista
