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

// Splats copied side by side, so that LANES of them can be tested at once.
struct Batch {
    alignas(64) float x[BATCH], y[BATCH], a[BATCH], b[BATCH], c[BATCH], opacity[BATCH], cutoff[BATCH], depth[BATCH];

    void set(int i, const Splat<float>& s) {
        x[i] = s.x, y[i] = s.y, a[i] = s.a, b[i] = s.b, c[i] = s.c;
        opacity[i] = s.opacity, cutoff[i] = s.cutoff, depth[i] = s.depth;
    }
    Splat<float> get(int i) const { return {x[i], y[i], a[i], b[i], c[i], opacity[i], cutoff[i], 0, 0, depth[i]}; }

    // Which of the LANES splats from `first` on meet the strip.
    uint32_t meeting(int first, const Strip& strip) const {
        Wide centre = load(x + first);
        return lane_bits(meets_row(load(a + first), load(b + first), load(c + first), load(cutoff + first),
                                   strip.left - centre, strip.right - centre, strip.y - load(y + first)));
    }
};

// Blends `count` splats into one strip; false when every pixel of it is finished.
template <int CHANNELS>
bool blend_strip(const Tile& tile, const Batch& batch, int count, int first_place, int any_channels, int pixel,
                 const Strip& strip) {
    const int channels = CHANNELS ? CHANNELS : any_channels;
    Pixel<Wide> state{load(tile.transmittance + pixel), load(tile.last + pixel)};
    Wide depth = load(tile.depth + pixel);
    Wide colours[CHANNELS ? CHANNELS : 1];
    for (int channel = 0; channel < CHANNELS; channel++) colours[channel] = load(tile.colours + channel * PIXELS + pixel);

    bool open = any_lane(state.transmittance > TRANSMITTANCE_MIN);
    for (int first = 0; first < count && open; first += LANES) {
        for (uint32_t left = batch.meeting(first, strip); left; left &= left - 1) {
            int i = first + __builtin_ctz(left);
            Splat<float> splat = batch.get(i);
            Wide weight = blend(state, evaluate(splat, strip.x, strip.y), float(first_place + i));
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
        }
        open = any_lane(state.transmittance > TRANSMITTANCE_MIN);
    }
    store(tile.transmittance + pixel, state.transmittance);
    store(tile.last + pixel, state.last);
    store(tile.depth + pixel, depth);
    for (int channel = 0; channel < CHANNELS; channel++) store(tile.colours + channel * PIXELS + pixel, colours[channel]);
    return open;
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
    Batch batch;
    for (int first = place.first_pair; first < place.end_pair; first += BATCH) {
        int count = std::min(BATCH, place.end_pair - first);
        for (int i = 0; i < count; i++) {
            int32_t splat = pairs.pairs[2 * (int64_t(first) + i)];
            batch.set(i, splats[splat]);
            std::copy_n(g.colours + int64_t(splat) * g.channels, g.channels, tile.batch_colours + i * g.channels);
        }
        for (int i = count; i % LANES; i++) batch.set(i, {0, 0, 1, 0, 1, 0, -1, 0, 0, 0});  // meets nothing
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
