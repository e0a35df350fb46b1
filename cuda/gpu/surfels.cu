// Surfels to planes and bounds in every view, and each tile's surfels over its pixels; splat_bin.cu is in between.

#include "d3d/cameras.h"
#include "surfels_values.h"
#include "warp.h"

using namespace d3d;

namespace {

constexpr int THREADS = 128;
constexpr int SIZE = 64;  // surfels brought into shared memory at a time

__device__ __forceinline__ bool finite_colours(const D3dSurfels& g, int64_t view, int64_t surfel) {
    const float* colour = g.colours + view * g.view_stride + surfel * g.channels;
    float sum = 0;
    for (int i = 0; i < g.channels; i++) sum += colour[i] - colour[i];
    return sum == 0;
}

// The tiles that the surfel's bound meets in the view; 0 where it is not drawn.
__device__ int project_one(const D3dCameras& cameras, const D3dSurfels& g, const D3dFootprints& footprints,
                           int64_t view, int64_t surfel) {
    const int64_t at = view * g.count + surfel;
    const float probe_x = g.probe ? g.probe[2 * at] : 0, probe_y = g.probe ? g.probe[2 * at + 1] : 0;
    const SurfelFootprint<float> f = project(shape_of(g, surfel), camera_of<float>(cameras, view), probe_x, probe_y);
    const bool drawn = f.drawn && finite_colours(g, view, surfel);
    footprints.radius_px[at] = drawn ? f.radius : 0;
    if (!drawn) return 0;
    reinterpret_cast<Surfel<float>*>(footprints.seen)[at] = f.surfel;
    reinterpret_cast<Splat<float>*>(footprints.splats)[at] = f.bound;
    Tiles tiles(cameras);
    return Footing(f.bound, tiles).count(tiles);
}

__global__ void __launch_bounds__(THREADS)
    project_all(D3dCameras cameras, D3dSurfels g, D3dFootprints footprints, int32_t* touched, int64_t* needed) {
    const int64_t at = thread_of_grid();
    int tiles = 0;
    if (at < cameras.views * g.count) {
        tiles = project_one(cameras, g, footprints, at / g.count, at % g.count);
        touched[at] = tiles;
    }
    const int64_t of_warp = warp_sum(int64_t(tiles));
    if (lane_of_warp() == 0 && of_warp)
        atomicAdd(reinterpret_cast<unsigned long long*>(needed), static_cast<unsigned long long>(of_warp));
}

__device__ __forceinline__ void write(const SurfelPixel<float>& pixel, const D3dCameras& cameras, const Place& place,
                                      const D3dSurfelImages& images) {
    images.alpha[place.at] = 1 - pixel.transmittance;
    images.depth[place.at] = pixel.depth;
    images.median[place.at] = pixel.median;
    images.distortion[place.at] = distortion_of(pixel);
    const State state(images, cameras, place);
    state[0] = pixel.transmittance, state[1] = pixel.last, state[2] = pixel.median_place;
    state[3] = pixel.m, state[4] = pixel.mm;
}

// A block draws a tile, a thread a pixel; blockIdx.y is the group of numbers of the rows that the block draws.
template <int WIDTH>
__global__ void __launch_bounds__(PIXELS)
    render_tiles(D3dCameras cameras, D3dSurfels g, D3dFootprints footprints, D3dPairs pairs, D3dSurfelImages images) {
    using Surfels = SurfelBatch<SIZE, WIDTH>;
    SHARED(Surfels, batch);
    const Place place(cameras, g.count, footprints, pairs);
    const float origin = origin_of(place, footprints);
    // Pixels outside the picture are finished.
    SurfelPixel<float> pixel{place.inside ? 1.f : 0.f, -1.f, 0.f, 0.f, 0.f, 0.f, -1.f};
    float sums[WIDTH] = {};
    for (int first = 0; first < place.listed; first += SIZE) {
        if (__syncthreads_and(pixel.transmittance <= TRANSMITTANCE_MIN)) break;
        const int listed = min(SIZE, place.listed - first);
        batch.fetch(g, footprints, place, place.list + first, listed, blockIdx.y * WIDTH);
        __syncthreads();
        for (int some = 0; some < listed; some += WARP) {
            if (__all_sync(ALL_LANES, pixel.transmittance <= TRANSMITTANCE_MIN)) break;
            const int mine = some + lane_of_warp();
            unsigned left =
                __ballot_sync(ALL_LANES, mine < listed && place.meets_warp(batch.bounds.splats[mine].splat()));
            for (; left; left &= left - 1) {
                const int i = some + __ffs(left) - 1;
                const SurfelFragment<float> fragment =
                    evaluate(batch.surfels[i], place.centre_x(), place.centre_y(), cameras.near);
                const float weight = blend(pixel, fragment, origin, float(first + i));
#pragma unroll
                for (int number = 0; number < WIDTH; number++) sums[number] += weight * batch.values[i][number];
            }
        }
    }
    if (!place.inside) return;
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
        float* picture = picture_of(images, g.channels, place.at, blockIdx.y * WIDTH + i);
        if (picture) *picture = sums[i];
    }
    if (blockIdx.y == 0) write(pixel, cameras, place, images);
}

}  // namespace

// Here the histogram is [views, count]: the tiles that each bound meets.
int32_t d3d_surfels_project(const D3dCameras* cameras, const D3dSurfels* g, const D3dFootprints* footprints,
                            void* histogram, int64_t* needed, const D3dLaunch* launch) {
    const int64_t all = cameras->views * g->count;
    if (all >= INT32_MAX) return D3D_TOO_MANY_PAIRS;
    Stream stream(*launch);
    stream.zero(needed, sizeof *needed);
    stream.run(project_all, Grid::over(all, THREADS), *cameras, *g, *footprints, static_cast<int32_t*>(histogram),
               needed);
    return stream.status();
}

int64_t d3d_surfels_render_bytes(int32_t, const D3dLaunch*) { return 0; }

int32_t d3d_surfels_render(const D3dCameras* cameras, const D3dSurfels* g, const D3dFootprints* footprints,
                           const D3dPairs* pairs, const D3dSurfelImages* images, void*, const D3dLaunch* launch) {
    Stream stream(*launch);
    const int row = NORMAL + g->channels;
    with_width_for(row, [&](auto width) {
        const Grid grid = grid_of_tiles(*cameras, groups_of(row, width));
        stream.run(render_tiles<width>, grid, *cameras, *g, *footprints, *pairs, *images);
    });
    return stream.status();
}
