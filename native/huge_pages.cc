#include "huge_pages.h"

#ifdef __linux__
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <mutex>
#endif

namespace convista {
#ifdef __linux__
namespace {

struct Range {
  std::uintptr_t begin = 0, end = 0;
  bool holds(std::uintptr_t place) const { return begin <= place && place < end; }
  bool holds(const Range& other) const { return begin <= other.begin && other.end <= end; }
};

// The private writable mapping without a file that holds a place; empty where there is none or nobody says.
Range find_mapping(std::uintptr_t place) {
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  if (maps == nullptr) return {};
  Range found;
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long begin = 0, end = 0, file = 0;
    char access[5] = {};
    if (std::sscanf(line, "%lx-%lx %4s %*x %*s %lu", &begin, &end, access, &file) != 4 || !Range{begin, end}.holds(place)) continue;
    if (file == 0 && access[1] == 'w' && access[3] == 'p') found = {begin, end};
    break;
  }
  std::fclose(maps);
  return found;
}

// Mappings of late, because reading the list takes a good part of a millisecond. One that has gone since does no harm: at worst
// somebody else's memory there comes in larger pages.
class KnownMappings {
 public:
  Range of(const Range& block) {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& range) { return range.holds(block); });
    if (known != ranges_.end()) return *known;
    const Range found = find_mapping(block.begin);
    if (found.holds(block)) ranges_[next_++ % ranges_.size()] = found;
    return found;
  }

 private:
  std::mutex mutex_;
  std::array<Range, 16> ranges_;
  std::size_t next_ = 0;
};

}  // namespace
#endif

void prefer_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef __linux__
  if (bytes < kHugePage) return;
  static KnownMappings mappings;
  const auto first = reinterpret_cast<std::uintptr_t>(memory);
  const Range block{first, first + bytes};
  Range range = mappings.of(block);
  if (!range.holds(block)) range = {first / kHugePage * kHugePage, (block.end + kHugePage - 1) / kHugePage * kHugePage};
  madvise(reinterpret_cast<void*>(range.begin), range.end - range.begin, MADV_HUGEPAGE);
#endif
}

}  // namespace convista
