// Each tile's surfels over its pixels, front to back. A strip is LANES pixels of one row.

#include "surfels.h"

using namespace d3d;

namespace {

// Planes of a tile's pixels. `values` are the colours and the normal.
struct Tile {
    float *transmittance, *last, *depth, *m, *mm, *median, *median_place, *values, *batch_values;
    static constexpr int PLANES = 7;

    Tile(float* memory, int channels) {
        float** planes[PLANES] = {&transmittance, &last, &depth, &m, &mm, &median, &median_place};
        for (int i = 0; i < PLANES; i++) *planes[i] = memory + i * PIXELS;
        values = memory + PLANES * PIXELS;
        batch_values = values + channels * PIXELS;
    }
    static int64_t floats(int channels) { return (PLANES + channels) * int64_t(PIXELS) + channels * int64_t(BATCH); }

    SurfelPixel<Wide> pixel(int i) const {
        return {load(transmittance + i), load(last + i),   load(depth + i),       load(m + i),
                load(mm + i),            load(median + i), load(median_place + i)};
    }
    void set(int i, const SurfelPixel<Wide>& pixel) const {
        store(transmittance + i, pixel.transmittance), store(last + i, pixel.last), store(depth + i, pixel.depth);
        store(m + i, pixel.m), store(mm + i, pixel.mm), store(median + i, pixel.median);
        store(median_place + i, pixel.median_place);
    }
};

// A batch of the tile's list: bounds to be tested, surfels to be drawn.
struct Surfels {
    Batch bounds;
    Surfel<float> surfels[BATCH];
    int first_place;
    float origin, near;
};

// Blends the batch into one strip; false when every pixel of it is finished.
template <int CHANNELS>
bool blend_strip(const Tile& tile, const Surfels& batch, int any_channels, int pixel, const Strip& strip) {
    const int channels = CHANNELS ? CHANNELS : any_channels;
    SurfelPixel<Wide> state = tile.pixel(pixel);
    Wide values[CHANNELS ? CHANNELS : 1], y = fill<Wide>(strip.y);
    for (int channel = 0; channel < CHANNELS; channel++) values[channel] = load(tile.values + channel * PIXELS + pixel);

    bool open = any_lane(state.transmittance > TRANSMITTANCE_MIN);
    for (int first = 0; first < batch.bounds.count && open; first += LANES) {
        for (uint32_t left = batch.bounds.meeting(first, strip); left; left &= left - 1) {
            int i = first + __builtin_ctz(left);
            SurfelFragment<Wide> fragment = evaluate(batch.surfels[i], strip.x, y, batch.near);
            if (!any_lane(fragment.seen)) continue;
            Wide weight = blend(state, fragment, batch.origin, float(batch.first_place + i));
            const float* value = tile.batch_values + i * channels;
            if constexpr (CHANNELS > 0) {
                for (int channel = 0; channel < CHANNELS; channel++) values[channel] += weight * value[channel];
            } else {
                for (int channel = 0; channel < channels; channel++) {
                    float* sum = tile.values + channel * PIXELS + pixel;
                    store(sum, load(sum) + weight * value[channel]);
                }
            }
        }
        open = any_lane(state.transmittance > TRANSMITTANCE_MIN);
    }
    tile.set(pixel, state);
    for (int channel = 0; channel < CHANNELS; channel++) store(tile.values + channel * PIXELS + pixel, values[channel]);
    return open;
}

void start(const Tile& tile, const Place& place, int channels) {
    std::fill_n(tile.transmittance, (Tile::PLANES + channels) * PIXELS, 0.f);
    for (int pixel = 0; pixel < PIXELS; pixel++) {
        tile.transmittance[pixel] = place.inside(pixel) ? 1.f : 0.f;  // pixels outside the picture are finished
        tile.last[pixel] = -1;
        tile.median_place[pixel] = -1;
    }
}

void write(const Tile& tile, const Place& place, const D3dCameras& cameras, int colours,
           const D3dSurfelImages& images) {
    State state(images, cameras, place.view);
    int64_t first = place.view * cameras.width * cameras.height;
    place.for_each_pixel([&](int pixel, int64_t of_all) {
        int64_t at = of_all - first;
        SurfelPixel<float> sums{tile.transmittance[pixel], tile.last[pixel],   tile.depth[pixel],       tile.m[pixel],
                                tile.mm[pixel],            tile.median[pixel], tile.median_place[pixel]};
        state.transmittance[at] = sums.transmittance, state.last[at] = sums.last;
        state.median_place[at] = sums.median_place, state.m[at] = sums.m, state.mm[at] = sums.mm;
        images.alpha[of_all] = 1 - sums.transmittance;
        images.depth[of_all] = sums.depth;
        images.median[of_all] = sums.median;
        images.distortion[of_all] = distortion_of(sums);
        const float* value = tile.values + pixel;
        for (int i = 0; i < colours; i++, value += PIXELS) images.colours[of_all * colours + i] = *value;
        for (int i = 0; i < NORMAL; i++, value += PIXELS) images.normal[of_all * NORMAL + i] = *value;
    });
}

template <int CHANNELS>
void render_tile(const Tile& tile, const Place& place, float near, const D3dSurfels& g,
                 const D3dFootprints& footprints, const D3dPairs& pairs) {
    const int channels = g.channels + NORMAL;
    const Splat<float>* bounds = splats_of(footprints, place.view, g.count);
    const Surfel<float>* surfels = surfels_of(footprints, place.view, g.count);
    Surfels batch;
    batch.origin = origin_of(place, pairs, surfels), batch.near = near;
    for (int first = place.first_pair; first < place.end_pair; first += BATCH) {
        auto listed = [&](int i) { return pairs.pairs[2 * (int64_t(first) + i)]; };
        batch.bounds.fill(std::min(BATCH, place.end_pair - first), [&](int i) { return bounds[listed(i)]; });
        batch.first_place = first - place.first_pair;
        for (int i = 0; i < batch.bounds.count; i++) {
            batch.surfels[i] = surfels[listed(i)];
            float* values = tile.batch_values + i * channels;
            std::copy_n(colour_of(g, place.view, listed(i)), g.channels, values);
            std::copy_n(batch.surfels[i].normal, NORMAL, values + g.channels);
        }
        bool open = false;
        for (int pixel = 0; pixel < PIXELS; pixel += LANES)
            open |= blend_strip<CHANNELS>(tile, batch, channels, pixel, place.strip(pixel));
        if (!open) break;
    }
}

}  // namespace

int64_t d3d_surfels_render_bytes(int32_t channels, const D3dLaunch* launch) {
    return launch->threads * Tile::floats(channels + NORMAL) * int64_t(sizeof(float));
}

int32_t d3d_surfels_render(const D3dCameras* cameras, const D3dSurfels* g, const D3dFootprints* footprints,
                           const D3dPairs* pairs, const D3dSurfelImages* images, void* workspace,
                           const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    const int channels = g->channels + NORMAL;
    auto render_any = channels == 6 ? render_tile<6> : channels == 7 ? render_tile<7> : render_tile<0>;
#pragma omp parallel num_threads(launch->threads)
    {
        Tile tile(static_cast<float*>(workspace) + omp_get_thread_num() * Tile::floats(channels), channels);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < cameras->views * tiles.count(); i++) {
            Place place(*cameras, tiles, *pairs, i);
            start(tile, place, channels);
            render_any(tile, place, cameras->near, *g, *footprints, *pairs);
            write(tile, place, *cameras, g->channels, *images);
        }
    }
    return D3D_OK;
}
