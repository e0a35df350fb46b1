// Sums over the lanes of a warp that share a key, before what they add up to goes to memory by atomicAdd.
#pragma once

#include "warp.h"

namespace d3d {

constexpr int FEW_LANES = 6;  // fewer than these add their numbers to memory one by one

// True for lanes that then have numbers to hand on; no lane with a negative key does. All lanes of the warp must call.
template <int N>
__device__ __forceinline__ bool gather_lanes(int64_t key, float (&numbers)[N]) {
    const int lane = lane_of_warp();
    unsigned sharing = __match_any_sync(ALL_LANES, (unsigned long long)key);
    bool alone = key >= 0 && __popc(sharing) < FEW_LANES, mine = alone;
    unsigned left = __ballot_sync(ALL_LANES, key >= 0 && !alone);
    while (left) {
        int first = __ffs(int(left)) - 1;
        unsigned group = __shfl_sync(ALL_LANES, sharing, first);
        for (int i = 0; i < N; i++) {
            float sum = warp_sum(group >> lane & 1 ? numbers[i] : 0.f);
            if (lane == first) numbers[i] = sum;
        }
        mine = mine || lane == first;
        left &= ~group;
    }
    return mine;
}

}  // namespace d3d
