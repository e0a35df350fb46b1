// The splats that each pixel shows most.

#include "walk.h"

using namespace d3d;

namespace {

// A pixel's splats so far, greatest weight first.
struct Ranking {
    int32_t* ids;
    float* weights;
    int most;

    void clear() const {
        std::fill_n(ids, most, -1);
        std::fill_n(weights, most, 0.f);
    }
    // Splats come front to back, so an equal one that is there already is nearer and stays ahead.
    void offer(int32_t id, float weight) const {
        if (!(weight > weights[most - 1])) return;
        int rank = most - 1;
        for (; rank > 0 && weights[rank - 1] < weight; rank--)
            weights[rank] = weights[rank - 1], ids[rank] = ids[rank - 1];
        weights[rank] = weight, ids[rank] = id;
    }
};

template <class RankingAt>
void rank_tile(const Place& place, const Splat<float>* splats, const D3dPairs& pairs, RankingAt ranking_at) {
    alignas(64) float transmittance[PIXELS];
    for (int pixel = 0; pixel < PIXELS; pixel++) transmittance[pixel] = place.inside(pixel) ? 1.f : 0.f;
    Batch batch;
    bool open = true;
    for (int first = place.first_pair; first < place.end_pair && open; first += BATCH) {
        const int32_t* pair = pairs.pairs + 2 * int64_t(first);
        batch.fill(std::min(BATCH, place.end_pair - first), [&](int i) { return splats[pair[2 * i]]; });
        open = false;
        for (int pixel = 0; pixel < PIXELS; pixel += LANES) {
            Pixel<Wide> state{load(transmittance + pixel), {}};
            open |= walk_splats(batch, place.strip(pixel), state, 0, [&](int i, Wide weight) {
                for (uint32_t left = lane_bits(weight > 0.f); left; left &= left - 1) {
                    int lane = __builtin_ctz(left);
                    ranking_at(pixel + lane).offer(pair[2 * i], weight[lane]);
                }
            });
            store(transmittance + pixel, state.transmittance);
        }
    }
}

}  // namespace

int32_t d3d_splat_contributors(const D3dCameras* cameras, int64_t count, const D3dFootprints* footprints,
                               const D3dPairs* pairs, int32_t most, int32_t* ids, float* weights,
                               const D3dLaunch* launch) {
    if (most <= 0) return D3D_OK;
    Tiles tiles(*cameras, TILE);
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, 1)
    for (int64_t i = 0; i < cameras->views * tiles.count(); i++) {
        Place place(*cameras, tiles, *pairs, i);
        auto ranking = [&](int64_t at) { return Ranking{ids + at * most, weights + at * most, most}; };
        place.for_each_pixel([&](int, int64_t at) { ranking(at).clear(); });
        rank_tile(place, splats_of(*footprints, place.view, count), *pairs, [&](int pixel) {
            int64_t row = place.view * place.height + place.top + pixel / TILE;
            return ranking(row * place.width + place.left + pixel % TILE);
        });
    }
    return D3D_OK;
}
