// Built for the oldest processor, so that it can be asked before anything newer runs.

#include "d3d/abi.h"

int32_t d3d_abi_version(void) { return D3D_ABI_VERSION; }

int32_t d3d_isa_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd"))
        return 4;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return 3;
    return __builtin_cpu_supports("sse4.2") ? 2 : 1;
#else
    return 0;
#endif
}
