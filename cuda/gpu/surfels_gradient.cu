// The gradient of surfels: tile by tile and back to front to sums for each footprint, and from those to the surfels.
//
// What a tile gives to a surfel is linear in the pictures' gradient, so each group of numbers of the rows adds its own
// share, of the moments too; the first group has those of alpha, depths and distortion.

#include "d3d/cameras.h"
#include "splat_turn.h"
#include "surfels_values.h"

using namespace d3d;

namespace {

constexpr int THREADS = 128;
constexpr int MOMENTS = sizeof(SurfelMoments<float>) / sizeof(float), RECORD = MOMENTS + NORMAL;

template <int WIDTH>
struct Work {
    SurfelBatch<TURN, WIDTH> batch;
    alignas(16) float by_values[PIXELS][WIDTH];
    DepthGradient<float> by_depth[PIXELS];
    Turned weight, g;
    Partial<MOMENTS + WIDTH> partial;
    float deepest[WARPS];
};

struct Start {
    PixelGradient<float> pixel{1.f, 0.f, -1.f};
    DepthGradient<float> by_depth{-1.f, 0.f, 0.f, 0.f, 0.f, 0.f};

    __device__ __forceinline__ Start(const D3dCameras& cameras, const Place& place, const D3dSurfelImages& images,
                                     const D3dSurfelImageGradients& by) {
        if (!place.inside) return;
        auto of_pixel = [&](const float* picture) { return picture && blockIdx.y == 0 ? picture[place.at] : 0.f; };
        const State state(images, cameras, place);
        pixel = {state[0], -state[0] * of_pixel(by.alpha), state[1]};
        by_depth.median_place = state[2];
        by_depth.by_depth = of_pixel(by.depth), by_depth.by_median = of_pixel(by.median);
        distortion_gradient(by_depth, of_pixel(by.distortion), state[0], state[3], state[4]);
    }
};

// A surfel's sums over a lane's pixels.
template <int WIDTH>
struct Sums {
    SurfelMoments<float> moments{};
    float values[WIDTH] = {};

    __device__ __forceinline__ void add_part(const SurfelPart<float>& part, const float* by_values) {
#pragma unroll
        for (int i = 0; i < WIDTH; i++) values[i] += part.weight * by_values[i];
    }
    __device__ __forceinline__ void write(float* out) const {
        const SurfelMoments<float>& m = moments;
        const float fixed[MOMENTS] = {m.one,     m.x,       m.y,    m.j[0][0], m.j[0][1],
                                      m.j[1][0], m.j[1][1], m.k[0], m.k[1],    m.depth};
        const bool writes = lane_of_warp() < TURN;
#pragma unroll
        for (int i = 0; i < MOMENTS + WIDTH; i++) {
            const int moment = i < MOMENTS ? i : 0, value = i < MOMENTS ? 0 : i - MOMENTS;
            const float sum = Turner::joined(i < MOMENTS ? fixed[moment] : values[value]);
            if (writes) out[i] = sum;
        }
    }
};

// Takes the surfels in `met` off the warp's pixels, back to front, and leaves each pixel's part in each surfel.
template <int WIDTH>
__device__ __forceinline__ void unblend_all(Work<WIDTH>& work, const Place& place, unsigned met, Start& state,
                                            float near, float origin, int first) {
    const float* by_values = work.by_values[threadIdx.x];
    for (unsigned left = met; left;) {
        const int i = WARP - 1 - __clz(int(left));
        left &= ~(1u << i);
        float shade = 0;
#pragma unroll
        for (int number = 0; number < WIDTH; number++) shade += by_values[number] * work.batch.values[i][number];
        const SurfelFragment<float> f = evaluate(work.batch.surfels[i], place.centre_x(), place.centre_y(), near);
        const SurfelPart<float> part = unblend(state.pixel, state.by_depth, f, shade, origin, float(first + i));
        work.weight.of_splat(i)[lane_of_warp()] = part.weight;
        work.g.of_splat(i)[lane_of_warp()] = part.g;
    }
}

template <int WIDTH>
__global__ void __launch_bounds__(PIXELS, 2)
    gradient_of_tiles(D3dCameras cameras, D3dSurfels g, D3dFootprints footprints, D3dPairs pairs,
                      D3dSurfelImages images, D3dSurfelImageGradients by, float* records, float* by_colours) {
    Work<WIDTH>& work = *static_cast<Work<WIDTH>*>(dynamic_shared());
    const Place place(cameras, g.count, footprints, pairs);
    const float origin = origin_of(place, footprints);
    const int first_number = blockIdx.y * WIDTH, warp = threadIdx.x / WARP;
    Start state(cameras, place, images, by);
    work.by_depth[threadIdx.x] = state.by_depth;
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
        const float* picture = place.inside ? picture_of(by, g.channels, place.at, first_number + i) : nullptr;
        work.by_values[threadIdx.x][i] = picture ? *picture : 0.f;
    }
    const float deepest_of_warp = warp_greatest(state.pixel.last);
    work.deepest[warp] = deepest_of_warp;
    __syncthreads();
    float deepest = -1;
    for (float of_warp : work.deepest) deepest = fmaxf(deepest, of_warp);

    const Turner turner;
    for (int first = int(deepest) / TURN * TURN; first >= 0 && deepest >= 0; first -= TURN) {
        const int32_t* list = place.list + first;
        const int listed = min(TURN, int(deepest) + 1 - first);
        work.batch.fetch(g, footprints, place, list, listed, first_number);
        __syncthreads();
        const unsigned met = float(first) <= deepest_of_warp ? meeting(work.batch.bounds, listed, place) : 0;
        unblend_all(work, place, met, state, cameras.near, origin, first);
        __syncwarp();
        Sums<WIDTH> sums;
        const Surfel<float>& surfel = work.batch.surfels[turner.splat];
        for (int k = 0; met >> turner.splat & 1 && k < PIXELS_OF_LANE; k++) {
            const int p = turner.first_pixel + k, thread = warp * WARP + p;
            const SurfelPart<float> part{work.weight.of_splat(turner.splat)[p], work.g.of_splat(turner.splat)[p]};
            const Meeting<float> m = meet(surfel, place.warp_centre_x(p), place.warp_centre_y(p), cameras.near);
            add(sums.moments, surfel, m, part, work.by_depth[thread], origin, float(first + turner.splat));
            sums.add_part(part, work.by_values[thread]);
        }
        sums.write(work.partial.of_splat(turner.splat));
        __syncthreads();
        work.partial.add_up(listed, [&](int i, int at, float sum) {
            const int number = first_number + at - MOMENTS;
            if (at < MOMENTS)
                atomicAdd(records + int64_t(list[i]) * RECORD + at, sum);
            else if (number < NORMAL)
                atomicAdd(records + int64_t(list[i]) * RECORD + MOMENTS + number, sum);
            else if (number < NORMAL + g.channels)
                atomicAdd(by_colours + place.view * g.view_stride + int64_t(list[i] - place.first) * g.channels +
                              (number - NORMAL),
                          sum);
        });
    }
}

__device__ __forceinline__ bool empty(const float* record) {
    bool all_zero = true;
    for (int i = 0; i < RECORD; i++) all_zero &= record[i] == 0;
    return all_zero;
}

__device__ __forceinline__ PlaneGradient<float> gradient_of(const float* r, float inverse_depth) {
    const SurfelMoments<float> moments{r[0], r[1], r[2], {{r[3], r[4]}, {r[5], r[6]}}, {r[7], r[8]}, r[9]};
    const float normal[3] = {r[MOMENTS], r[MOMENTS + 1], r[MOMENTS + 2]};
    return plane_gradient(moments, inverse_depth, normal);
}

// A thread adds up one surfel's views.
__global__ void __launch_bounds__(THREADS)
    gather_all(D3dCameras cameras, D3dSurfels g, D3dFootprints footprints, const float* records, D3dSurfelGradients by) {
    const int64_t surfel = thread_of_grid();
    if (surfel >= g.count) return;
    const SurfelShape<float> shape = shape_of(g, surfel);
    SurfelGradient<float> total{};
    float opacity = 0;
    for (int64_t view = 0; view < cameras.views; view++) {
        const int64_t at = view * g.count + surfel;
        const float* record = records + at * RECORD;
        by.probe[2 * at] = by.probe[2 * at + 1] = 0;
        if (empty(record)) continue;
        const PlaneGradient<float> by_plane = gradient_of(record, surfels_in(footprints)[at].inverse_depth);
        by.probe[2 * at] = by_plane.x, by.probe[2 * at + 1] = by_plane.y;
        const SurfelGradient<float> from = project_gradient(shape, camera_of<float>(cameras, view), by_plane);
        for (int i = 0; i < 3; i++) total.mean[i] += from.mean[i];
        for (int i = 0; i < 4; i++) total.wxyz[i] += from.wxyz[i];
        for (int i = 0; i < 2; i++) total.scale[i] += from.scale[i];
        opacity += record[0] / shape.opacity;
    }
    for (int i = 0; i < 3; i++) by.means[3 * surfel + i] = total.mean[i];
    for (int i = 0; i < 4; i++) by.wxyz[4 * surfel + i] = total.wxyz[i];
    for (int i = 0; i < 2; i++) by.scales[2 * surfel + i] = total.scale[i];
    by.opacities[surfel] = opacity;
}

}  // namespace

int64_t d3d_surfels_gradient_bytes(int32_t, int64_t views, int64_t count, int64_t, const D3dLaunch*) {
    return views * count * RECORD * int64_t(sizeof(float));
}

int32_t d3d_surfels_gradient(const D3dCameras* cameras, const D3dSurfels* g, const D3dFootprints* footprints,
                             const D3dPairs* pairs, const D3dSurfelImages* images,
                             const D3dSurfelImageGradients* by_images, const D3dSurfelGradients* by, void* workspace,
                             const D3dLaunch* launch) {
    Stream stream(*launch);
    float* records = static_cast<float*>(workspace);
    stream.zero(records, d3d_surfels_gradient_bytes(g->channels, cameras->views, g->count, pairs->capacity, launch));
    const int64_t rows = g->view_stride ? cameras->views * g->count : g->count;
    stream.zero(by->colours, rows * g->channels * int64_t(sizeof(float)));

    const int row = by_images->colours ? NORMAL + g->channels : NORMAL;
    with_width_for(row, [&](auto width) {
        const Grid grid = grid_of_tiles(*cameras, groups_of(row, width), sizeof(Work<width>));
        stream.run(gradient_of_tiles<width>, grid, *cameras, *g, *footprints, *pairs, *images, *by_images, records,
                   by->colours);
    });
    stream.run(gather_all, Grid::over(g->count, THREADS), *cameras, *g, *footprints, records, *by);
    return stream.status();
}
