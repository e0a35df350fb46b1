// The adjoint of drawing colours: maps to splats, and how much of the pictures each splat is. Front to back.

#include "splat_turn.h"

using namespace d3d;

namespace {

template <int WIDTH>
struct Work {
    Batch<TURN, WIDTH> batch;
    alignas(16) float maps[PIXELS][WIDTH];
    Turned weight;
    Partial<WIDTH> partial;
};

// Σ w over a lane's pixels, the greatest w, and the number of pixels with w > 0.
struct Counts {
    float weight = 0, peak = 0;
    int32_t pixels = 0;

    __device__ __forceinline__ void add(float w) { weight += w, peak = fmaxf(peak, w), pixels += w > 0; }
    __device__ __forceinline__ void give(const D3dSplatWeights& out, int64_t at) const {
        const float of_warp = Turner::joined(weight), greatest = fmaxf(peak, __shfl_xor_sync(ALL_LANES, peak, TURN));
        const int32_t counted = pixels + __shfl_xor_sync(ALL_LANES, pixels, TURN);
        if (counted == 0 || lane_of_warp() >= TURN) return;
        atomicAdd(out.weight + at, of_warp);
        atomicMax(reinterpret_cast<int32_t*>(out.peak + at), __float_as_int(greatest));  // orders as positive floats do
        atomicAdd(out.pixels + at, counted);
    }
};

template <int WIDTH>
__global__ void __launch_bounds__(PIXELS)
    weigh_tiles(D3dCameras cameras, int64_t count, D3dFootprints footprints, D3dPairs pairs, int32_t channels,
                const float* maps, D3dSplatWeights out) {
    Work<WIDTH>& work = *static_cast<Work<WIDTH>*>(dynamic_shared());
    const Place place(cameras, count, footprints, pairs);
    const int first_channel = blockIdx.y * WIDTH, warp = threadIdx.x / WARP, lane = lane_of_warp();
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
        const int channel = first_channel + i;
        work.maps[threadIdx.x][i] = place.inside && channel < channels ? maps[place.at * channels + channel] : 0.f;
    }
    Pixel<float> pixel{place.inside ? 1.f : 0.f, -1.f};
    const Turner turner;
    for (int first = 0; first < place.listed; first += TURN) {
        if (__syncthreads_and(pixel.transmittance <= TRANSMITTANCE_MIN)) break;
        const int32_t* list = place.list + first;
        const int listed = min(TURN, place.listed - first);
        work.batch.fetch_splats(footprints, place, list, listed);
        __syncthreads();
        const unsigned met = meeting(work.batch, listed, place);
        for (unsigned left = met; left; left &= left - 1) {
            const int i = __ffs(left) - 1;
            Fragment<float> f = evaluate(work.batch.splats[i].splat(), place.centre_x(), place.centre_y());
            work.weight.of_splat(i)[lane] = blend(pixel, f, 0.f);
        }
        __syncwarp();
        Counts counts;
        float sums[WIDTH] = {};
        for (int k = 0; met >> turner.splat & 1 && k < PIXELS_OF_LANE; k++) {
            const int p = turner.first_pixel + k;
            const float weight = work.weight.of_splat(turner.splat)[p];
            counts.add(weight);
#pragma unroll
            for (int i = 0; i < WIDTH; i++) sums[i] += weight * work.maps[warp * WARP + p][i];
        }
        if (blockIdx.y == 0) counts.give(out, turner.splat < listed ? list[turner.splat] : 0);
#pragma unroll
        for (int i = 0; i < WIDTH; i++) {
            float sum = Turner::joined(sums[i]);
            if (lane < TURN) work.partial.of_splat(turner.splat)[i] = sum;
        }
        __syncthreads();
        work.partial.add_up(listed, [&](int i, int at, float sum) {
            if (first_channel + at < channels)
                atomicAdd(out.sums + int64_t(list[i] - place.first) * channels + first_channel + at, sum);
        });
    }
}

}  // namespace

int64_t d3d_splat_weigh_bytes(int32_t, int64_t, const D3dLaunch*) { return 0; }

int32_t d3d_splat_weigh(const D3dCameras* cameras, int64_t count, const D3dFootprints* footprints,
                        const D3dPairs* pairs, int32_t channels, const float* maps, const D3dSplatWeights* weights,
                        void*, const D3dLaunch* launch) {
    Stream stream(*launch);
    const int64_t all = cameras->views * count;
    stream.zero(weights->sums, count * channels * int64_t(sizeof(float)));
    stream.zero(weights->weight, all * int64_t(sizeof(float)));
    stream.zero(weights->peak, all * int64_t(sizeof(float)));
    stream.zero(weights->pixels, all * int64_t(sizeof(int32_t)));
    with_width_for(channels, [&](auto width) {
        const Grid grid = grid_of_tiles(*cameras, groups_of(channels, width), sizeof(Work<width>));
        stream.run(weigh_tiles<width>, grid, *cameras, count, *footprints, *pairs, channels, maps, *weights);
    });
    return stream.status();
}
