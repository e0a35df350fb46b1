// From pixels to splats: a warp's threads are pixels while they walk along a tile's list, and splats while they add up
// over the pixels. What a pixel knows of a splat goes through shared memory in between, so that no sum needs a shuffle
// for each splat, and a tile gives each splat one atomic addition for each number.
#pragma once

#include "splat_values.h"
#include "warp.h"

namespace d3d {

constexpr int TURN = 16;  // splats that turn at once; two lanes add up each of them, over half of the warp's pixels
constexpr int HALF = WARP / TURN, PIXELS_OF_LANE = WARP / HALF;

// One number for each of the warp's pixels and of TURN splats. Rows are odd, so that neither way has bank conflicts.
struct Turned {
    float by_warp[WARPS][TURN][WARP + 1];

    __device__ __forceinline__ float* of_splat(int splat) { return by_warp[threadIdx.x / WARP][splat]; }
};

// A lane while it is a splat: which one, and its pixels.
struct Turner {
    int splat, first_pixel;

    __device__ __forceinline__ Turner()
        : splat(lane_of_warp() % TURN), first_pixel(lane_of_warp() / TURN * PIXELS_OF_LANE) {}
    // The other half's sum added to this one's.
    __device__ __forceinline__ static float joined(float sum) { return sum + __shfl_xor_sync(ALL_LANES, sum, TURN); }
};

// Which of the batch's `listed` splats meet the warp, as bits; the lanes past TURN repeat those before them.
template <int WIDTH>
__device__ __forceinline__ unsigned meeting(const Batch<TURN, WIDTH>& batch, int listed, const Place& place) {
    const int mine = lane_of_warp() % TURN;
    unsigned met = __ballot_sync(ALL_LANES, mine < listed && place.meets_warp(batch.splats[mine].splat()));
    return met & ((1u << TURN) - 1);
}

// Sums of each warp for each splat of a batch, to be added up by all threads of the block.
template <int NUMBERS>
struct Partial {
    float by_warp[WARPS][TURN][NUMBERS];

    __device__ __forceinline__ float* of_splat(int splat) { return by_warp[threadIdx.x / WARP][splat]; }
    // Calls give(splat, number, sum) once for each, spread over the block's threads.
    template <class Give>
    __device__ __forceinline__ void add_up(int splats, Give give) const {
        for (int i = threadIdx.x; i < splats * NUMBERS; i += PIXELS) {
            const int splat = i / NUMBERS, number = i % NUMBERS;
            float sum = 0;
            for (int warp = 0; warp < WARPS; warp++) sum += by_warp[warp][splat][number];
            if (sum != 0) give(splat, number, sum);
        }
    }
};

}  // namespace d3d
