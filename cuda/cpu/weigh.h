// The adjoint of drawing colours: Σ w map for each splat, a block of channels at a time.
//
// Each pair of a splat and a tile writes its sums to a slot of its own, and each splat adds up its slots in order:
// there are no atomics, and the bits do not depend on the threads.
#pragma once

#include "walk.h"

namespace d3d {

constexpr int BLOCK_VECTORS = 8;  // vectors of sums that a loop keeps in registers
constexpr int BLOCK = BLOCK_VECTORS * LANES;
constexpr int COUNTS = 3;         // Σ w, the greatest w, and the number of pixels with w > 0

struct Maps {
    int channels;
    const float* values;  // [views, height, width, channels]
};

struct WeighTile {
    float *transmittance, *maps;  // [PIXELS], [PIXELS][BLOCK]

    explicit WeighTile(float* memory) : transmittance(memory), maps(memory + PIXELS) {}
    static constexpr int64_t FLOATS = PIXELS + int64_t(PIXELS) * BLOCK;

    void start(const Place& place, const Maps& all, int first_channel, int vectors) const {
        int channels = std::min(vectors * LANES, all.channels - first_channel);
        for (int pixel = 0; pixel < PIXELS; pixel++) transmittance[pixel] = place.inside(pixel) ? 1.f : 0.f;
        std::fill_n(maps, PIXELS * vectors * LANES, 0.f);
        place.for_each_pixel([&](int pixel, int64_t at) {
            std::copy_n(all.values + at * all.channels + first_channel, channels, maps + pixel * vectors * LANES);
        });
    }
    bool open() const {
        WideMask any{};
        for (int pixel = 0; pixel < PIXELS; pixel += LANES) any |= load(transmittance + pixel) > TRANSMITTANCE_MIN;
        return any_lane(any);
    }
};

// Blends one splat into the tile; writes its sums to `out` and, if there is room for them, its counts.
template <int VECTORS>
void weigh_splat(const WeighTile& tile, const Place& place, const Splat<float>& splat, float* out, float* counts) {
    Wide sums[VECTORS + 1]{}, weight_sum{}, peak{}, pixels{};
    walk_strips(splat, place, [&](int pixel) {
        Pixel<Wide> state{load(tile.transmittance + pixel), {}};
        Strip strip = place.strip(pixel);
        Wide weight = blend(state, evaluate(splat, strip.x, strip.y), 0.f);
        store(tile.transmittance + pixel, state.transmittance);
        weight_sum += weight, peak = greater(peak, weight);
        pixels += select(weight > 0.f, fill<Wide>(1), Wide{});
        if constexpr (VECTORS > 0) {
            const float* map = tile.maps + pixel * VECTORS * LANES;
            for (int lane = 0; lane < LANES; lane++, map += VECTORS * LANES)
                for (int vector = 0; vector < VECTORS; vector++)
                    sums[vector] += weight[lane] * load(map + vector * LANES);
        }
    });
    for (int vector = 0; vector < VECTORS; vector++) store(out + vector * LANES, sums[vector]);
    if (!counts) return;
    counts[0] = sum_lanes(weight_sum), counts[1] = 0, counts[2] = sum_lanes(pixels);
    for (int lane = 0; lane < LANES; lane++) counts[1] = std::max(counts[1], peak[lane]);
}

template <int VECTORS>
void weigh_tile(const WeighTile& tile, const Place& place, const Splat<float>* splats, const D3dPairs& pairs,
                float* sums, float* counts) {
    constexpr int LOOK_EVERY = 16;
    bool open = true;
    const int length = place.end_pair - place.first_pair;
    for (int at = 0; at < length; at++) {
        const int32_t* pair = pairs.pairs + 2 * (int64_t(place.first_pair) + at);
        const int32_t* later = pair + 2 * std::min(AHEAD, length - 1 - at);
        ask_for(splats[later[0]], sums + int64_t(later[1]) * VECTORS * LANES);
        float* out = sums + int64_t(pair[1]) * VECTORS * LANES;
        float* counted = counts ? counts + int64_t(pair[1]) * COUNTS : nullptr;
        if (open && at % LOOK_EVERY == 0) open = tile.open();
        if (open) {
            weigh_splat<VECTORS>(tile, place, splats[pair[0]], out, counted);
        } else {
            std::fill_n(out, VECTORS * LANES, 0.f);
            if (counted) std::fill_n(counted, COUNTS, 0.f);
        }
    }
}

// Where the sums go: [count, channels] over all views, or with a view_stride [views, count, channels].
struct Sums {
    float* values;
    int64_t view_stride;
};

inline int64_t weigh_floats(int64_t capacity, const D3dLaunch& launch) {
    return launch.threads * WeighTile::FLOATS + capacity * (BLOCK + COUNTS);
}

// One block of channels; called by all threads of a team. `slots` has BLOCK floats for each pair.
inline void weigh_block(const D3dCameras& cameras, int64_t count, const D3dFootprints& footprints,
                        const D3dPairs& pairs, const Maps& maps, int first_channel, const Sums& sums,
                        const WeighTile& tile, float* slots, float* counts) {
    Tiles tiles(cameras, TILE);
    const int channels = std::min(BLOCK, maps.channels - first_channel), vectors = (channels + LANES - 1) / LANES;
    auto weigh_any = pick(vectors, std::make_integer_sequence<int, BLOCK_VECTORS + 1>{},
                          [](auto vectors) { return weigh_tile<decltype(vectors)::value>; });
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < cameras.views * tiles.count(); i++) {
        Place place(cameras, tiles, pairs, i);
        if (place.first_pair == place.end_pair) continue;
        tile.start(place, maps, first_channel, vectors);
        weigh_any(tile, place, splats_of(footprints, place.view, count), pairs, slots, counts);
    }
    if (channels <= 0) return;
#pragma omp for schedule(static)
    for (int64_t splat = 0; splat < count; splat++) {
        for (int64_t view = 0; view < cameras.views; view++) {
            float* total = sums.values + view * sums.view_stride + splat * maps.channels + first_channel;
            if (view == 0 || sums.view_stride) std::fill_n(total, channels, 0.f);
            const int32_t* slot = footprints.first_slot + view * count + splat;
            for (int64_t at = slot[0]; at < slot[1]; at++)
                for (int channel = 0; channel < channels; channel++)
                    total[channel] += slots[at * vectors * LANES + channel];
        }
    }
}

}  // namespace d3d
