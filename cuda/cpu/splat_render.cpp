// Each tile's splats over its pixels, front to back. A strip is LANES pixels of one row.

#include "strips.h"

using namespace d3d;

namespace {

constexpr int BATCH = 128;  // splats copied side by side before the tile's rows are walked

struct Tile {
    float *transmittance, *last, *depth, *colours, *batch_colours;

    Tile(float* memory, int channels)
        : transmittance(memory), last(memory + PIXELS), depth(memory + 2 * PIXELS), colours(memory + 3 * PIXELS),
          batch_colours(colours + channels * PIXELS) {}
    static int64_t floats(int channels) { return (3 + channels) * int64_t(PIXELS) + channels * int64_t(BATCH); }
};

// Blends `count` splats into one strip; false when every pixel of it is finished.
template <int CHANNELS>
bool blend_strip(const Tile& tile, const Splat<float>* batch, int count, int first_place, int any_channels, int pixel,
                 const Strip& strip) {
    const int channels = CHANNELS ? CHANNELS : any_channels;
    Pixel<Wide> state{load(tile.transmittance + pixel), load(tile.last + pixel)};
    if (!any_lane(state.transmittance > TRANSMITTANCE_MIN)) return false;
    Wide depth = load(tile.depth + pixel);
    Wide colours[CHANNELS ? CHANNELS : 1];
    for (int channel = 0; channel < CHANNELS; channel++) colours[channel] = load(tile.colours + channel * PIXELS + pixel);

    for (int i = 0; i < count; i++) {
        const Splat<float>& splat = batch[i];
        if (strip.misses(splat)) continue;
        Fragment<Wide> fragment = evaluate(splat, strip.x, strip.y);
        if (!any_lane(fragment.seen)) continue;
        Wide weight = blend(state, fragment, float(first_place + i));
        depth += weight * splat.depth;
        const float* colour = tile.batch_colours + i * channels;
        if constexpr (CHANNELS > 0) {
            for (int channel = 0; channel < CHANNELS; channel++) colours[channel] += weight * colour[channel];
        } else {
            for (int channel = 0; channel < channels; channel++) {
                float* sum = tile.colours + channel * PIXELS + pixel;
                store(sum, load(sum) + weight * colour[channel]);
            }
        }
        if (!any_lane(state.transmittance > TRANSMITTANCE_MIN)) break;
    }
    store(tile.transmittance + pixel, state.transmittance);
    store(tile.last + pixel, state.last);
    store(tile.depth + pixel, depth);
    for (int channel = 0; channel < CHANNELS; channel++) store(tile.colours + channel * PIXELS + pixel, colours[channel]);
    return any_lane(state.transmittance > TRANSMITTANCE_MIN);
}

void start(const Tile& tile, const Place& place, int channels) {
    for (int pixel = 0; pixel < PIXELS; pixel++) {
        tile.transmittance[pixel] = place.inside(pixel) ? 1.f : 0.f;  // pixels outside the picture are finished
        tile.last[pixel] = -1;
        tile.depth[pixel] = 0;
    }
    std::fill_n(tile.colours, channels * PIXELS, 0.f);
}

void write(const Tile& tile, const Place& place, int channels, const D3dSplatImages& images) {
    place.for_each_pixel([&](int pixel, int64_t at) {
        images.alpha[at] = 1 - tile.transmittance[pixel];
        images.depth[at] = tile.depth[pixel];
        images.transmittance[at] = tile.transmittance[pixel];
        images.last[at] = tile.last[pixel];
        for (int channel = 0; channel < channels; channel++)
            images.colours[at * channels + channel] = tile.colours[channel * PIXELS + pixel];
    });
}

template <int CHANNELS>
void render_tile(const Tile& tile, const Place& place, const D3dGaussians& g, const Splat<float>* splats,
                 const D3dPairs& pairs) {
    Splat<float> batch[BATCH];
    for (int first = place.first_pair; first < place.end_pair; first += BATCH) {
        int count = std::min(BATCH, place.end_pair - first);
        for (int i = 0; i < count; i++) {
            int32_t splat = pairs.pairs[2 * (int64_t(first) + i)];
            batch[i] = splats[splat];
            std::copy_n(g.colours + int64_t(splat) * g.channels, g.channels, tile.batch_colours + i * g.channels);
        }
        bool open = false;
        for (int pixel = 0; pixel < PIXELS; pixel += LANES)
            open |= blend_strip<CHANNELS>(tile, batch, count, first - place.first_pair, g.channels, pixel,
                                          place.strip(pixel));
        if (!open) break;
    }
}

}  // namespace

int64_t d3d_splat_render_bytes(int32_t channels, const D3dLaunch* launch) {
    return launch->threads * Tile::floats(channels) * int64_t(sizeof(float));
}

int32_t d3d_splat_render(const D3dCameras* cameras, const D3dGaussians* g, const D3dFootprints* footprints,
                         const D3dPairs* pairs, const D3dSplatImages* images, void* workspace,
                         const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    auto render_any = g->channels == 3 ? render_tile<3> : g->channels == 4 ? render_tile<4> : render_tile<0>;
#pragma omp parallel num_threads(launch->threads)
    {
        Tile tile(static_cast<float*>(workspace) + omp_get_thread_num() * Tile::floats(g->channels), g->channels);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < cameras->views * tiles.count(); i++) {
            Place place(*cameras, tiles, *pairs, i);
            start(tile, place, g->channels);
            render_any(tile, place, *g, splats_of(*footprints, place.view, g->count), *pairs);
            write(tile, place, g->channels, *images);
        }
    }
    return D3D_OK;
}
