// The gradient of render, tile by tile and back to front; splat_gather.cu takes it from the footprints to the Gaussians.
//
// What a tile gives to a splat is linear in the pictures' gradient, so each group of numbers adds its own share, of the
// moments too. Only the absolute sums are not; where there are several groups, a kernel of their own makes them.

#include "splat_gather.h"
#include "splat_turn.h"

using namespace d3d;

namespace {

// Keeps the number that is a splat's share of a pixel, for others to add up.
struct Share {
    float g = 0;
    __device__ __forceinline__ void add(float value, const Fragment<float>&) { g = value; }
};

template <int WIDTH>
struct Work {
    Batch<TURN, WIDTH> batch;
    alignas(16) float by_values[PIXELS][WIDTH];
    Turned weight, g;
    Partial<FIXED + WIDTH> partial;
    float deepest[WARPS];
};

__device__ __forceinline__ float picture_gradient(const D3dSplatImageGradients& by, const D3dSplatValues& v, int64_t at,
                                                  int number) {
    const float* picture = number < row_floats(v) ? picture_of(by, v, at, number) : nullptr;
    return picture ? *picture : 0.f;
}

__device__ __forceinline__ PixelGradient<float> start(const Place& place, const D3dSplatImages& images,
                                                      const float* by_alpha) {
    if (!place.inside) return {1.f, 0.f, -1.f};
    float transmittance = images.transmittance[place.at];
    return {transmittance, by_alpha ? -transmittance * by_alpha[place.at] : 0.f, images.last[place.at]};
}

// A splat's sums over a lane's pixels.
template <int WIDTH>
struct Sums {
    Moments<float> moments{};
    float absolute_x = 0, absolute_y = 0, values[WIDTH] = {};

    __device__ __forceinline__ void add(const Near& s, float x, float y, float g, float weight, const float* by_values,
                                        bool absolute) {
        Fragment<float> f{x - s.x, y - s.y, 0.f, true, false};
        moments.add(g, f);
        if (absolute) {
            absolute_x += fabsf(g * (s.a * f.dx + s.b * f.dy));
            absolute_y += fabsf(g * (s.b * f.dx + s.c * f.dy));
        }
#pragma unroll
        for (int i = 0; i < WIDTH; i++) values[i] += weight * by_values[i];
    }
    __device__ __forceinline__ void write(float* out) const {
        const float fixed[FIXED] = {moments.one, moments.x,  moments.y,  moments.xx,
                                    moments.xy,  moments.yy, absolute_x, absolute_y};
        const bool writes = lane_of_warp() < TURN;
#pragma unroll
        for (int i = 0; i < FIXED + WIDTH; i++) {
            float sum = Turner::joined(i < FIXED ? fixed[i < FIXED ? i : 0] : values[i < FIXED ? 0 : i - FIXED]);
            if (writes) out[i] = sum;
        }
    }
};

template <int WIDTH>
__global__ void __launch_bounds__(PIXELS, WIDTH <= 8 ? 3 : 2)
    gradient_of_tiles(D3dCameras cameras, int64_t count, D3dSplatValues v, D3dFootprints footprints, D3dPairs pairs,
                      D3dSplatImages images, D3dSplatImageGradients by, Records records, bool absolute) {
    Work<WIDTH>& work = *static_cast<Work<WIDTH>*>(dynamic_shared());
    const Place place(cameras, count, footprints, pairs);
    const int first_number = blockIdx.y * WIDTH, warp = threadIdx.x / WARP, lane = lane_of_warp();
    PixelGradient<float> pixel = start(place, images, blockIdx.y == 0 ? by.alpha : nullptr);
    float by_values[WIDTH];
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
        by_values[i] = place.inside ? picture_gradient(by, v, place.at, first_number + i) : 0.f;
        work.by_values[threadIdx.x][i] = by_values[i];
    }
    const float deepest_of_warp = warp_greatest(pixel.last);
    work.deepest[warp] = deepest_of_warp;
    __syncthreads();
    float deepest = -1;
    for (float of_warp : work.deepest) deepest = fmaxf(deepest, of_warp);

    const Turner turner;
    for (int first = int(deepest) / TURN * TURN; first >= 0 && deepest >= 0; first -= TURN) {
        const int32_t* list = place.list + first;
        const int listed = min(TURN, int(deepest) + 1 - first);
        work.batch.fetch(v, footprints, place, list, listed, first_number);
        __syncthreads();
        const unsigned met = float(first) <= deepest_of_warp ? meeting(work.batch, listed, place) : 0;
        for (unsigned left = met; left;) {
            const int i = WARP - 1 - __clz(int(left));
            left &= ~(1u << i);
            float shade = 0;
#pragma unroll
            for (int number = 0; number < WIDTH; number++) shade += by_values[number] * work.batch.values[i][number];
            Share share;
            Fragment<float> f = evaluate(work.batch.splats[i].splat(), place.centre_x(), place.centre_y());
            work.weight.of_splat(i)[lane] = unblend(pixel, share, f, shade, float(first + i));
            work.g.of_splat(i)[lane] = share.g;
        }
        __syncwarp();
        Sums<WIDTH> sums;
        for (int k = 0; met >> turner.splat & 1 && k < PIXELS_OF_LANE; k++) {
            const int p = turner.first_pixel + k;
            sums.add(work.batch.splats[turner.splat], place.warp_centre_x(p), place.warp_centre_y(p),
                     work.g.of_splat(turner.splat)[p], work.weight.of_splat(turner.splat)[p],
                     work.by_values[warp * WARP + p], absolute);
        }
        sums.write(work.partial.of_splat(turner.splat));
        __syncthreads();
        work.partial.add_up(listed, [&](int i, int at, float sum) {
            const int number = first_number + at - FIXED, seen = seen_floats(v);
            float* record = records.of(list[i]);
            if (at < FIXED)
                atomicAdd(record + at, sum);
            else if (number < seen)
                atomicAdd(record + FIXED + number, sum);
            else if (records.colours && number < row_floats(v))
                atomicAdd(records.colours + place.view * v.view_stride +
                              int64_t(list[i] - place.first) * v.channels + (number - seen),
                          sum);
        });
    }
}

// The absolute sums alone, with each pixel's shade from all numbers of the row.
__global__ void __launch_bounds__(PIXELS)
    absolute_of_tiles(D3dCameras cameras, int64_t count, D3dSplatValues v, D3dFootprints footprints, D3dPairs pairs,
                      D3dSplatImages images, D3dSplatImageGradients by, Records records) {
    const Place place(cameras, count, footprints, pairs);
    const auto splats = reinterpret_cast<const Splat<float>*>(footprints.splats);
    PixelGradient<float> pixel = start(place, images, by.alpha);
    const int deepest = int(warp_greatest(pixel.last));
    for (int first = deepest / WARP * WARP; first >= 0 && deepest >= 0; first -= WARP) {
        const int32_t* list = place.list + first;
        const int32_t of_lane = first + lane_of_warp() <= deepest ? list[lane_of_warp()] : -1;
        unsigned left = __ballot_sync(ALL_LANES, place.owns(of_lane) && place.meets_warp(splats[of_lane]));
        while (left) {
            const int i = WARP - 1 - __clz(int(left));
            left &= ~(1u << i);
            const Splat<float> splat = splats[list[i]];
            float shade = 0;
            for (int number = 0; place.inside && number < row_floats(v); number++)
                shade += picture_gradient(by, v, place.at, number) *
                         value_of(v, footprints, place, list[i], number);
            AbsoluteMoments<float> sums{};
            sums.a = splat.a, sums.b = splat.b, sums.c = splat.c;
            unblend(pixel, sums, evaluate(splat, place.centre_x(), place.centre_y()), shade, float(first + i));
            float x = warp_sum(sums.absolute_x), y = warp_sum(sums.absolute_y);
            float* record = records.of(list[i]) + ABSOLUTE;
            if (lane_of_warp() == 0) atomicAdd(record, x), atomicAdd(record + 1, y);
        }
    }
}

}  // namespace

int64_t d3d_splat_gradient_bytes(const D3dSplatValues* values, int64_t views, int64_t count, int64_t,
                                 const D3dLaunch*) {
    return views * count * (FIXED + seen_floats(*values)) * int64_t(sizeof(float));
}

int32_t d3d_splat_gradient(const D3dCameras* cameras, const D3dGaussians* g, const D3dSplatValues* values,
                           const D3dFootprints* footprints, const D3dPairs* pairs, const D3dSplatImages* images,
                           const D3dSplatImageGradients* by_images, const D3dGaussianGradients* by, void* workspace,
                           const D3dLaunch* launch) {
    Stream stream(*launch);
    const Records records{static_cast<float*>(workspace), by->colours, FIXED + seen_floats(*values)};
    stream.zero(workspace, d3d_splat_gradient_bytes(values, cameras->views, g->count, pairs->capacity, launch));
    const int64_t rows = values->view_stride ? cameras->views * g->count : g->count;
    if (by->colours) stream.zero(by->colours, rows * values->channels * int64_t(sizeof(float)));

    D3dSplatValues drawn = *values;
    if (!by_images->colours) drawn.channels = 0;
    with_width_for(row_floats(drawn), [&](auto width) {
        const int groups = groups_of(row_floats(drawn), width);
        const Grid grid = grid_of_tiles(*cameras, groups, sizeof(Work<width>));
        stream.run(gradient_of_tiles<width>, grid, *cameras, g->count, drawn, *footprints, *pairs, *images, *by_images,
                   records, by->absolute && groups == 1);
        if (by->absolute && groups > 1)
            stream.run(absolute_of_tiles, grid_of_tiles(*cameras, 1), *cameras, g->count, drawn, *footprints, *pairs,
                       *images, *by_images, records);
    });
    gather_gradients(stream, *cameras, *g, *values, *footprints, records, *by);
    return stream.status();
}
