// Maps to splats, and how much of the pictures each splat is.

#include "weigh.h"

using namespace d3d;

namespace {

// Adds up each footprint's counts; called by all threads of a team.
void add_counts(int64_t footprint_count, const D3dFootprints& footprints, const float* counts,
                const D3dSplatWeights& weights) {
#pragma omp for schedule(static)
    for (int64_t i = 0; i < footprint_count; i++) {
        float weight = 0, peak = 0, pixels = 0;
        for (int64_t slot = footprints.first_slot[i]; slot < footprints.first_slot[i + 1]; slot++) {
            weight += counts[slot * COUNTS];
            peak = std::max(peak, counts[slot * COUNTS + 1]);
            pixels += counts[slot * COUNTS + 2];
        }
        weights.weight[i] = weight, weights.peak[i] = peak, weights.pixels[i] = int32_t(pixels);
    }
}

}  // namespace

int64_t d3d_splat_weigh_bytes(int32_t, int64_t capacity, const D3dLaunch* launch) {
    return weigh_floats(capacity, *launch) * int64_t(sizeof(float));
}

int32_t d3d_splat_weigh(const D3dCameras* cameras, int64_t count, const D3dFootprints* footprints,
                        const D3dPairs* pairs, int32_t channels, const float* maps, const D3dSplatWeights* weights,
                        void* workspace, const D3dLaunch* launch) {
    float* tiles = static_cast<float*>(workspace);
    float* slots = tiles + launch->threads * WeighTile::FLOATS;
    float* counts = slots + pairs->capacity * BLOCK;
#pragma omp parallel num_threads(launch->threads)
    {
        WeighTile tile(tiles + omp_get_thread_num() * WeighTile::FLOATS);
        for (int first = 0; first < std::max(channels, 1); first += BLOCK)
            weigh_block(*cameras, count, *footprints, *pairs, {channels, maps}, first, {weights->sums, 0}, tile, slots,
                        first == 0 ? counts : nullptr);
        add_counts(cameras->views * count, *footprints, counts, *weights);
    }
    return D3D_OK;
}
