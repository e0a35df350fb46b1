// Small kernels that show what the emulator promises; compiled by nvcc too.

#include "device.h"
#include "primitives.h"
#include "warp.h"

using namespace d3d;

namespace {

__global__ void sum_of_block(const float* values, int count, float* sum) {
    SHARED(float[256], partial);
    int i = threadIdx.x;
    partial[i] = i < count ? values[i] : 0;
    __syncthreads();
    for (int half = 128; half; half /= 2) {
        if (i < half) partial[i] += partial[i + half];
        __syncthreads();
    }
    if (i == 0) atomicAdd(sum, partial[0]);
}

// A dozen numbers for each lane: one for each kind of exchange.
__global__ void exchanges(int32_t* out) {
    int lane = lane_of_warp();
    int32_t* of_lane = out + 12 * thread_of_grid();
    of_lane[0] = __shfl_sync(ALL_LANES, lane, 5);
    of_lane[1] = __shfl_xor_sync(ALL_LANES, lane, 3);
    of_lane[2] = __shfl_up_sync(ALL_LANES, lane, 2);
    of_lane[3] = __shfl_down_sync(ALL_LANES, lane, 2);
    of_lane[4] = __shfl_sync(ALL_LANES, lane, 1, 8);
    of_lane[5] = int(__ballot_sync(ALL_LANES, lane % 3 == 0));
    of_lane[6] = int(__match_any_sync(ALL_LANES, lane / 4));
    of_lane[7] = int(warp_sum(float(lane)));
    of_lane[8] = warp_running_sum(lane);
    of_lane[9] = warp_greatest(lane * (lane % 2));
    of_lane[10] = __syncthreads_count(lane < 7);
    of_lane[11] = 0;
    if (lane < 16) of_lane[11] = __shfl_xor_sync(0xffffu, lane, 1);  // half a warp by itself
}

__global__ void half_a_barrier() {
    if (threadIdx.x < 16) __syncthreads();
}

__global__ void two_barriers() {
    if (threadIdx.x < 16)
        __syncthreads();
    else
        __syncthreads();
}

__global__ void half_an_exchange() {
    if (threadIdx.x < 16) __syncwarp();
}

__global__ void leave_a_trace(float* found) {
    SHARED(float[32], memory);
    float* dynamic = static_cast<float*>(dynamic_shared());
    found[thread_of_grid()] = memory[threadIdx.x] + dynamic[threadIdx.x];
    memory[threadIdx.x] = dynamic[threadIdx.x] = 1;
}

// Reads its neighbour's number without waiting for it.
__global__ void forget_a_barrier(float* out) {
    SHARED(float[32], memory);
    memory[threadIdx.x] = threadIdx.x;
    out[thread_of_grid()] = memory[threadIdx.x ^ 1];
}

}  // namespace

#define EXPORT extern "C" D3D_EXPORT int32_t

EXPORT test_sum(const D3dLaunch* launch, const float* values, int32_t count, float* sum) {
    Stream stream(*launch);
    stream.zero(sum, sizeof *sum);
    stream.run(sum_of_block, Grid(1, 256), values, count, sum);
    return stream.status();
}

EXPORT test_exchanges(const D3dLaunch* launch, int32_t warps, int32_t* out) {
    Stream stream(*launch);
    stream.run(exchanges, Grid(1, 32 * warps), out);
    return stream.status();
}

EXPORT test_forbidden(const D3dLaunch* launch, int32_t which) {
    Stream stream(*launch);
    if (which == 0) stream.run(half_a_barrier, Grid(1, 32));
    if (which == 1) stream.run(two_barriers, Grid(1, 32));
    if (which == 2) stream.run(half_an_exchange, Grid(1, 32));
    if (which == 3) stream.run(half_a_barrier, Grid(1, 2048));
    if (which == 4) stream.run(half_a_barrier, Grid(1, 32, 300 << 10));
    stream.run(half_a_barrier, Grid(0, 32));  // left out, as all that follows a failure
    return stream.status();
}

EXPORT test_trace(const D3dLaunch* launch, float* found) {
    Stream stream(*launch);
    stream.run(leave_a_trace, Grid(4, 32, 32 * sizeof(float)), found);
    return stream.status();
}

EXPORT test_race(const D3dLaunch* launch, float* out) {
    Stream stream(*launch);
    stream.run(forget_a_barrier, Grid(2, 32), out);
    return stream.status();
}

EXPORT test_sort(const D3dLaunch* launch, uint32_t* keys, uint32_t* values, int32_t count, int32_t first_bit,
                 int32_t end_bit, uint32_t* sorted_keys, uint32_t* sorted_values, int32_t* sums, void* workspace) {
    Stream stream(*launch);
    sort_by_key<uint32_t>(stream, {keys, sorted_keys}, {values, sorted_values}, count, first_bit, end_bit, workspace);
    running_sum<int32_t>(stream, {sums, sums}, count, workspace);
    return stream.status();
}
