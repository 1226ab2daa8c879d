#include "exec/kernels/isa/vector_kernels.h"

#if defined(TPSIM_WIDE_ISA)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tpsim::exec {

const VectorKernels& kernels_base();

#if defined(TPSIM_WIDE_ISA)

const VectorKernels& kernels_v3();
const VectorKernels& kernels_v4();
const VectorKernels& kernels_bf16();
const VectorKernels& kernels_amx();

namespace {

// CPUID leaf 7, sub-leaves 0 and 1.
bool has_bit(unsigned subleaf, char reg, unsigned bit) {
  unsigned a = 7, b = 0, c = subleaf, d = 0;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  const unsigned value = reg == 'a' ? a : reg == 'd' ? d : c;
  return (value >> bit & 1u) != 0;
}

// Linux gives the tile registers to a process that asks for them.
bool may_use_tiles() {
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return has_bit(0, 'd', 22) && has_bit(0, 'd', 24) && syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

const VectorKernels& best() {
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512cd");
  if (!v3) return kernels_base();
  if (!v4) return kernels_v3();
  if (!has_bit(1, 'a', 5)) return kernels_v4();
  return may_use_tiles() ? kernels_amx() : kernels_bf16();
}

}  // namespace

const VectorKernels& vector_kernels() {
  static const VectorKernels& chosen = best();
  return chosen;
}

#else

const VectorKernels& vector_kernels() { return kernels_base(); }

#endif

}  // namespace tpsim::exec
