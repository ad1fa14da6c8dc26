// Which instruction set is used.
#include <atomic>
#include <cstring>

#include "kernels.h"

namespace convista {
namespace {

struct Variant {
  const KernelTable& (*table)();
  bool (*supported)();
};

// Best first.
constexpr Variant kVariants[] = {
#ifdef CONVISTA_X86
    {table_avx512,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
     }},
    {table_avx2, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#endif
    {table_portable, [] { return true; }},
};

const KernelTable* best() {
  for (const Variant& variant : kVariants) {
    if (variant.supported()) return &variant.table();
  }
  return &table_portable();
}

std::atomic<const KernelTable*>& current() {
  static std::atomic<const KernelTable*> table{best()};
  return table;
}

const KernelTable* find(const char* name) {
  for (const Variant& variant : kVariants) {
    if (std::strcmp(variant.table().name, name) == 0 && variant.supported()) return &variant.table();
  }
  return nullptr;
}

}  // namespace

const KernelTable& chosen() { return *current().load(std::memory_order_relaxed); }

bool runs(const char* name) { return find(name) != nullptr; }

bool choose(const char* name) {
  const KernelTable* table = find(name);
  if (table == nullptr) return false;
  current().store(table, std::memory_order_relaxed);
  return true;
}

}  // namespace convista
