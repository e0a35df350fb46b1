// What the 32 lanes of a warp do together. All lanes of the warp must call.
#pragma once

#include "device.h"

namespace d3d {

__device__ __forceinline__ int lane_of_warp() { return threadIdx.x % WARP; }

// The sum over all lanes, in every lane.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#if defined(__CUDACC__)
    for (int bits = WARP / 2; bits; bits /= 2) value += __shfl_xor_sync(ALL_LANES, value, bits);
    return value;
#else
    return __reduce_add_sync(ALL_LANES, value);  // one meeting instead of five
#endif
}

// The sum over this and all lower lanes.
template <class T>
__device__ __forceinline__ T warp_running_sum(T value) {
    for (int by = 1; by < WARP; by *= 2) {
        T lower = __shfl_up_sync(ALL_LANES, value, by);
        if (lane_of_warp() >= by) value += lower;
    }
    return value;
}

template <class T>
__device__ __forceinline__ T warp_greatest(T value) {
    for (int bits = WARP / 2; bits; bits /= 2) {
        T other = __shfl_xor_sync(ALL_LANES, value, bits);
        value = other > value ? other : value;
    }
    return value;
}

}  // namespace d3d
