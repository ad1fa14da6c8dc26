// Pages of 2 MB for large blocks of memory, where the system has them.
#pragma once
#include <cstddef>

namespace convista {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Asks for huge pages for the whole mapping in which a block of at least a huge page lies. Only the first touch of a page after this
// counts; asking again costs a microsecond. Whatever else lies in that mapping comes in large pages too.
//
// XLA takes memory for what lies between two operations from malloc, in one piece, and gives it back after every call; glibc returns
// blocks that large to the kernel, whatever its thresholds: none of them reaches beyond 32 MB. All of it comes back as page faults: a third
// of the processor time of a step of a depthwise-separable network, 85 000 of 4 KB. The kernels write just a part of that piece, and what
// XLA's own operations write next to it is asked for here as well. Page faults and time of a step, batch 128, two cores: without, for the
// block alone, and for the mapping: ResNet-18 44 000, 20 000 and 5 000 faults, of the last two 1.40 and 1.25 s; the separable network 85 700,
// 3 000 and 900, of the last two 239 and 197 ms.
//
// Tried and lost: mallopt(M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD) as in the peers' settings changed nothing for the same reason.
// With M_ARENA_MAX = 1 before XLA starts its threads there was no fault left, but the heap was cut to pieces by what stayed in it:
// 1.7 GB at the peak instead of 0.71, in a process that belongs to somebody else.
void prefer_huge_pages(void* memory, std::size_t bytes);

}  // namespace convista
