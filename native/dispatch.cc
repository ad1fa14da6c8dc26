// Which instruction set is used.
#include <atomic>
#include <cstring>

#include "kernels.h"
#include "tile_permission.h"

namespace convista {
namespace {

// Each has all that those after it have.
struct Variant {
  const char* name;
  const KernelTable& (*table)();
  const Bfloat16Table& (*bfloat16)();
  bool (*supported)();
};

#ifdef CONVISTA_X86
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}
#endif

#ifdef CONVISTA_AVX512_BF16
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

// Best first.
constexpr Variant kVariants[] = {
#ifdef CONVISTA_AMX
    {"amx", table_amx, bfloat16_table_amx,
     [] {
       static const bool permitted = has_avx512_bf16() && may_use_tiles();
       return permitted;
     }},
#endif
#ifdef CONVISTA_AVX512_BF16
    {"avx512_bf16", table_avx512, bfloat16_table_avx512_bf16, has_avx512_bf16},
#endif
#ifdef CONVISTA_X86
    {"avx512", table_avx512, bfloat16_table_avx512, has_avx512},
    {"avx2", table_avx2, bfloat16_table_avx2, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#endif
    {"portable", table_portable, bfloat16_table_portable, [] { return true; }},
};

const Variant* best() {
  const Variant* variant = kVariants;
  while (!variant->supported()) ++variant;  // the last one always is
  return variant;
}

std::atomic<const Variant*>& current() {
  static std::atomic<const Variant*> variant{best()};
  return variant;
}

const Variant* find(const char* name) {
  for (const Variant& variant : kVariants) {
    if (std::strcmp(variant.name, name) == 0 && variant.supported()) return &variant;
  }
  return nullptr;
}

}  // namespace

const KernelTable& chosen() { return current().load(std::memory_order_relaxed)->table(); }
const Bfloat16Table& chosen_bfloat16() { return current().load(std::memory_order_relaxed)->bfloat16(); }
const char* chosen_name() { return current().load(std::memory_order_relaxed)->name; }

bool runs(const char* name) { return find(name) != nullptr; }

bool choose(const char* name) {
  const Variant* variant = find(name);
  if (variant == nullptr) return false;
  current().store(variant, std::memory_order_relaxed);
  return true;
}

}  // namespace convista
