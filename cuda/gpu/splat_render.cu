// Each tile's splats over its pixels, front to back. A block draws a tile, a thread a pixel; blockIdx.y is the group of
// numbers of the splats' rows that the block draws.

#include "splat_values.h"
#include "warp.h"

using namespace d3d;

namespace {

constexpr int SIZE = 128;  // splats brought into shared memory at a time

template <int WIDTH>
__global__ void __launch_bounds__(PIXELS)
    render_tiles(D3dCameras cameras, int64_t count, D3dSplatValues v, D3dFootprints footprints, D3dPairs pairs,
                 D3dSplatImages images) {
    using Splats = Batch<SIZE, WIDTH>;
    SHARED(Splats, batch);
    const Place place(cameras, count, footprints, pairs);
    Pixel<float> pixel{place.inside ? 1.f : 0.f, -1.f};  // pixels outside the picture are finished
    float sums[WIDTH] = {};
    for (int first = 0; first < place.listed; first += SIZE) {
        if (__syncthreads_and(pixel.transmittance <= TRANSMITTANCE_MIN)) break;
        const int splats = min(SIZE, place.listed - first);
        batch.fetch(v, footprints, place, place.list + first, splats, blockIdx.y * WIDTH);
        __syncthreads();
        for (int some = 0; some < splats; some += WARP) {
            if (__all_sync(ALL_LANES, pixel.transmittance <= TRANSMITTANCE_MIN)) break;
            const int mine = some + lane_of_warp();
            unsigned left = __ballot_sync(ALL_LANES, mine < splats && place.meets_warp(batch.splats[mine].splat()));
            for (; left; left &= left - 1) {
                const int i = some + __ffs(left) - 1;
                float weight = blend(pixel, evaluate(batch.splats[i].splat(), place.centre_x(), place.centre_y()),
                                     float(first + i));
#pragma unroll
                for (int number = 0; number < WIDTH; number++) sums[number] += weight * batch.values[i][number];
            }
        }
    }
    if (!place.inside) return;
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
        const int number = blockIdx.y * WIDTH + i;
        float* picture = number < row_floats(v) ? picture_of(images, v, place.at, number) : nullptr;
        if (picture) *picture = sums[i];
    }
    if (blockIdx.y > 0) return;
    images.alpha[place.at] = 1 - pixel.transmittance;
    images.transmittance[place.at] = pixel.transmittance;
    images.last[place.at] = pixel.last;
}

// A pixel's splats so far, greatest weight first.
struct Ranking {
    int32_t* ids;
    float* weights;
    int most;

    // Splats come front to back, so an equal one that is there already is nearer and stays ahead.
    __device__ void offer(int32_t id, float weight) const {
        if (!(weight > weights[most - 1])) return;
        int rank = most - 1;
        for (; rank > 0 && weights[rank - 1] < weight; rank--)
            weights[rank] = weights[rank - 1], ids[rank] = ids[rank - 1];
        weights[rank] = weight, ids[rank] = id;
    }
};

__global__ void __launch_bounds__(PIXELS)
    rank_tiles(D3dCameras cameras, int64_t count, D3dFootprints footprints, D3dPairs pairs, int32_t most, int32_t* ids,
               float* weights) {
    const Place place(cameras, count, footprints, pairs);
    const auto splats = reinterpret_cast<const Splat<float>*>(footprints.splats);
    const Ranking ranking{ids + place.at * most, weights + place.at * most, most};
    for (int i = 0; place.inside && i < most; i++) ranking.ids[i] = -1, ranking.weights[i] = 0;
    Pixel<float> pixel{place.inside ? 1.f : 0.f, -1.f};
    for (int first = 0; first < place.listed; first += WARP) {
        if (__all_sync(ALL_LANES, pixel.transmittance <= TRANSMITTANCE_MIN)) break;
        const int mine = first + lane_of_warp();
        const int32_t of_lane = mine < place.listed ? place.list[mine] : -1;
        unsigned left = __ballot_sync(ALL_LANES, place.owns(of_lane) && place.meets_warp(splats[of_lane]));
        for (; left; left &= left - 1) {
            const int32_t footprint = place.list[first + __ffs(left) - 1];
            float weight = blend(pixel, evaluate(splats[footprint], place.centre_x(), place.centre_y()), 0.f);
            if (weight > 0) ranking.offer(footprint - place.first, weight);
        }
    }
}

}  // namespace

int64_t d3d_splat_render_bytes(const D3dSplatValues*, const D3dLaunch*) { return 0; }

int32_t d3d_splat_render(const D3dCameras* cameras, int64_t count, const D3dSplatValues* values,
                         const D3dFootprints* footprints, const D3dPairs* pairs, const D3dSplatImages* images, void*,
                         const D3dLaunch* launch) {
    Stream stream(*launch);
    with_width_for(row_floats(*values), [&](auto width) {
        const Grid grid = grid_of_tiles(*cameras, groups_of(row_floats(*values), width));
        stream.run(render_tiles<width>, grid, *cameras, count, *values, *footprints, *pairs, *images);
    });
    return stream.status();
}

int32_t d3d_splat_contributors(const D3dCameras* cameras, int64_t count, const D3dFootprints* footprints,
                               const D3dPairs* pairs, int32_t most, int32_t* ids, float* weights,
                               const D3dLaunch* launch) {
    Stream stream(*launch);
    if (most > 0)
        stream.run(rank_tiles, grid_of_tiles(*cameras, 1), *cameras, count, *footprints, *pairs, most, ids, weights);
    return stream.status();
}
