// AMX tiles: 8 KB of registers that Linux gives only to processes that ask.
#pragma once
#ifdef CONVISTA_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace convista {

// Whether the processor multiplies bfloat16 in tiles and the kernel lets this process use them; asks it to. All threads get the
// permission. It is refused, for instance, where a thread's signal stack is too small for the tiles.
inline bool may_use_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kBfloat16 = 1u << 22, kTiles = 1u << 24;
  if ((d & kBfloat16) == 0 || (d & kTiles) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace convista
#endif
