// Huge pages are asked for in the whole mapping around a large block, and nowhere for a small one.
#include "../huge_pages.h"

#include <cstdio>
#include <cstring>

#include "expect.h"

#ifdef __linux__
#include <sys/mman.h>

namespace {

using namespace convista;

// Whether the kernel was asked for huge pages where this place lies.
bool asked(const void* place) {
  std::FILE* maps = std::fopen("/proc/self/smaps", "r");
  if (maps == nullptr) return false;
  char line[512];
  bool here = false, found = false;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line, "%lx-%lx ", &begin, &end) == 2)
      here = begin <= reinterpret_cast<unsigned long>(place) && reinterpret_cast<unsigned long>(place) < end;
    if (here && std::strncmp(line, "VmFlags:", 8) == 0) found = std::strstr(line, " hg") != nullptr;
  }
  std::fclose(maps);
  return found;
}

// Between pages that nobody may touch, so that it is a mapping of its own.
char* mapping(std::size_t bytes) {
  char* all = static_cast<char*>(mmap(nullptr, bytes + 2 * kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  mprotect(all + kHugePage, bytes, PROT_READ | PROT_WRITE);
  return all + kHugePage;
}

void check_mappings() {
  constexpr std::size_t kBytes = 8 * kHugePage;
  char *large = mapping(kBytes), *small = mapping(kBytes);
  expect(!asked(large) && !asked(small), "nobody asked yet");
  prefer_huge_pages(large + 3 * kHugePage + 123, kHugePage);
  prefer_huge_pages(small + 3 * kHugePage + 123, kHugePage - 1);
  expect(asked(large) && asked(large + kBytes - 1), "the whole mapping around a large block");
  expect(!asked(small), "a small block is left alone");
  large[0] = large[kBytes - 1] = 1;
  munmap(large, kBytes);
  char* again = static_cast<char*>(mmap(large, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  prefer_huge_pages(again, kBytes);
  expect(asked(again), "memory that came back is asked for anew");
  for (int i = 0; i < 40; ++i) {  // more than are remembered
    char* other = mapping(2 * kHugePage);
    prefer_huge_pages(other, kHugePage);
    expect(asked(other), "each of many mappings");
  }
}

}  // namespace
#endif

int main() {
#ifdef __linux__
  char* probe = static_cast<char*>(mmap(nullptr, kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (madvise(probe, kHugePage, MADV_HUGEPAGE) != 0) {
    std::printf("this system has no huge pages: not tested\n");
    return 0;
  }
  check_mappings();
#endif
  return verdict();
}
