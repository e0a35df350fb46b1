// The gradient of render, tile by tile, back to front. Each pair of a splat and a tile writes its sums to a slot of
// its own, and gather.h adds them up: there are no atomics, and the bits do not depend on the threads.
//
// Of wide colours a pixel needs only <value, gradient>, its shade. The shades of a batch of splats are taken first, as
// a product of matrices; the colours' own gradient is the adjoint of drawing them, which is weigh.h.

#include "gather.h"
#include "weigh.h"

using namespace d3d;

namespace {

using Gradients = Layers<const float>;

constexpr int SHADED = 32;  // splats whose shades are taken at once
constexpr int TOGETHER = 4;

struct Tile {
    float *transmittance, *last, *behind;
    float *by_narrow, *by_wide;  // [STRIPS][channels][LANES]
    float* shades;               // [SHADED][PIXELS], of wide colours

    Tile(float* memory, const Gradients& layers)
        : transmittance(memory), last(memory + PIXELS), behind(memory + 2 * PIXELS), by_narrow(memory + 3 * PIXELS),
          by_wide(by_narrow + layers.narrow * PIXELS), shades(by_wide + int64_t(layers.wide.channels) * PIXELS) {}
    static int64_t floats(int64_t channels) { return (3 + Gradients::FEW + channels + SHADED) * PIXELS; }
};

void copy_strips(const Place& place, const Gradients::Layer& layer, int channels, float* strips) {
    place.for_each_pixel([&](int pixel, int64_t at) {
        float* to = strips + (int64_t(pixel / LANES) * channels + layer.first) * LANES + pixel % LANES;
        for (int channel = 0; channel < layer.channels; channel++)
            to[channel * LANES] = layer.picture[at * layer.channels + channel];
    });
}

// Fills the tile's planes; returns the place of the last splat that any pixel saw.
int start(const Tile& tile, const Place& place, const Gradients& layers, const D3dSplatImages& images,
          const float* by_alpha) {
    std::fill_n(tile.transmittance, PIXELS, 1.f);
    std::fill_n(tile.last, PIXELS, -1.f);
    std::fill_n(tile.behind, (1 + layers.narrow + int64_t(layers.wide.channels)) * PIXELS, 0.f);
    float deepest = -1;
    place.for_each_pixel([&](int pixel, int64_t at) {
        tile.transmittance[pixel] = images.transmittance[at];
        tile.last[pixel] = images.last[at];
        if (by_alpha) tile.behind[pixel] = -images.transmittance[at] * by_alpha[at];
        deepest = std::max(deepest, images.last[at]);
    });
    for (int i = 0; i < layers.count; i++) copy_strips(place, layers.layers[i], layers.narrow, tile.by_narrow);
    if (layers.wide.picture) copy_strips(place, layers.wide, layers.wide.channels, tile.by_wide);
    return int(deepest);
}

// <value, gradient> of a batch's wide colours on the pixels of each strip that they meet.
void shade_batch(const Tile& tile, const Place& place, const Gradients& layers, const Batch& batch,
                 const int32_t* pair) {
    for (int pixel = 0; pixel < PIXELS; pixel += LANES) {
        int met[SHADED + TOGETHER], count = 0;
        for (int first = 0; first < batch.count; first += LANES)
            for (uint32_t left = batch.meeting(first, place.strip(pixel)); left; left &= left - 1)
                met[count++] = first + __builtin_ctz(left);
        for (int i = count; i % TOGETHER; i++) met[i] = met[count - 1];
        const float* by = tile.by_wide + int64_t(pixel) * layers.wide.channels;
        for (int i = 0; i < count; i += TOGETHER) {
            const float* values[TOGETHER];
            Wide shades[TOGETHER]{};
            for (int j = 0; j < TOGETHER; j++) values[j] = layers.wide_row(place.view, pair[2 * met[i + j]]);
            for (int channel = 0; channel < layers.wide.channels; channel++) {
                Wide by_channel = load(by + channel * LANES);
                for (int j = 0; j < TOGETHER; j++) shades[j] += by_channel * values[j][channel];
            }
            for (int j = 0; j < TOGETHER; j++) store(tile.shades + met[i + j] * PIXELS + pixel, shades[j]);
        }
    }
}

inline void aim(Moments<Wide>&, const Splat<float>&) {}
inline void aim(AbsoluteMoments<Wide>& m, const Splat<float>& s) { m.a = s.a, m.b = s.b, m.c = s.c; }
inline float* write(const Moments<Wide>& m, float* out) {
    for (Wide sum : {m.one, m.x, m.y, m.xx, m.xy, m.yy}) *out++ = sum_lanes(sum);
    return out;
}
inline float* write(const AbsoluteMoments<Wide>& m, float* out) {
    out = write(static_cast<const Moments<Wide>&>(m), out);
    for (Wide sum : {m.absolute_x, m.absolute_y}) *out++ = sum_lanes(sum);
    return out;
}

// Takes one splat off every pixel of the tile and writes its sums to `out`; `shades` are null without wide colours.
template <int NARROW, class Sums>
void unblend_splat(const Tile& tile, const Place& place, const Splat<float>& splat, const float* row,
                   const float* shades, float place_in_list, float* out) {
    Sums moments{};
    aim(moments, splat);
    Wide sums[NARROW + 1]{};
    walk_strips(splat, place, [&](int pixel) {
        PixelGradient<Wide> state{load(tile.transmittance + pixel), load(tile.behind + pixel), load(tile.last + pixel)};
        if (!any_lane(state.last >= place_in_list)) return;
        Strip strip = place.strip(pixel);
        Wide by[NARROW + 1], shade = shades ? load(shades + pixel) : Wide{};
        for (int channel = 0; channel < NARROW; channel++) {
            by[channel] = load(tile.by_narrow + pixel * NARROW + channel * LANES);
            shade += by[channel] * row[channel];
        }
        Wide weight = unblend(state, moments, evaluate(splat, strip.x, strip.y), shade, place_in_list);
        for (int channel = 0; channel < NARROW; channel++) sums[channel] += weight * by[channel];
        store(tile.transmittance + pixel, state.transmittance);
        store(tile.behind + pixel, state.behind);
    });
    out = write(moments, out);
    for (int channel = 0; channel < NARROW; channel++) out[channel] = sum_lanes(sums[channel]);
}

template <int NARROW, class Sums>
void gradient_of_tile(const Tile& tile, const Place& place, int deepest, const Gradients& layers,
                      const Splat<float>* splats, const D3dPairs& pairs, const Slots& slots, float* sums) {
    const int32_t* pair = pairs.pairs + 2 * int64_t(place.first_pair);
    for (int at = deepest + 1; at < place.end_pair - place.first_pair; at++)
        std::fill_n(sums + pair[2 * at + 1] * slots.stride(), slots.stride(), 0.f);
    for (int end = deepest + 1; end > 0; end -= SHADED) {
        int first = std::max(end - SHADED, 0);
        if (layers.wide.picture) {
            Batch batch;
            batch.fill(end - first, [&](int i) { return splats[pair[2 * (first + i)]]; });
            shade_batch(tile, place, layers, batch, pair + 2 * first);
        }
        for (int at = end - 1; at >= first; at--) {
            const int32_t* later = pair + 2 * std::max(at - AHEAD, 0);
            ask_for(splats[later[0]], sums + later[1] * slots.stride());
            layers.ask_for_row(place.view, later[0]);
            float row[NARROW + 1];
            layers.row(place.view, pair[2 * at], row);
            const float* shades = layers.wide.picture ? tile.shades + (at - first) * PIXELS : nullptr;
            unblend_splat<NARROW, Sums>(tile, place, splats[pair[2 * at]], row, shades, float(at),
                                        sums + pair[2 * at + 1] * slots.stride());
        }
    }
}

template <class Sums>
auto gradient_for(int narrow) {
    return pick(narrow, std::make_integer_sequence<int, Gradients::FEW + 1>{},
                [](auto channels) { return gradient_of_tile<decltype(channels)::value, Sums>; });
}

}  // namespace

int64_t d3d_splat_gradient_bytes(const D3dSplatValues* values, int64_t, int64_t, int64_t capacity,
                                 const D3dLaunch* launch) {
    int64_t floats = launch->threads * Tile::floats(values->channels) + capacity * ViewSums::MOST;
    if (seen_floats(*values) + values->channels > Gradients::FEW) floats += weigh_floats(capacity, *launch);
    return floats * int64_t(sizeof(float));
}

int32_t d3d_splat_gradient(const D3dCameras* cameras, const D3dGaussians* g, const D3dSplatValues* values,
                           const D3dFootprints* footprints, const D3dPairs* pairs, const D3dSplatImages* images,
                           const D3dSplatImageGradients* by_images, const D3dGaussianGradients* by, void* workspace,
                           const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    Gradients layers(*values, *footprints, g->count, *by_images);
    const int64_t tile_floats = Tile::floats(values->channels);
    float* sums = static_cast<float*>(workspace) + launch->threads * tile_floats;
    float* weighing = sums + pairs->capacity * ViewSums::MOST;
    Slots slots{sums, by->absolute ? 2 : 0, layers.narrow};
    Gathering gathering{*cameras, *g, *values, *footprints, layers, *by, slots};
    auto gradient_of_any =
        by->absolute ? gradient_for<AbsoluteMoments<Wide>>(layers.narrow) : gradient_for<Moments<Wide>>(layers.narrow);
#pragma omp parallel num_threads(launch->threads)
    {
        Tile tile(static_cast<float*>(workspace) + omp_get_thread_num() * tile_floats, layers);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < cameras->views * tiles.count(); i++) {
            Place place(*cameras, tiles, *pairs, i);
            if (place.first_pair == place.end_pair) continue;
            int deepest = start(tile, place, layers, *images, by_images->alpha);
            gradient_of_any(tile, place, deepest, layers, splats_of(*footprints, place.view, g->count), *pairs, slots,
                            sums);
        }
        if (layers.wide.picture && by->colours) {
            WeighTile weigh_tile(weighing + omp_get_thread_num() * WeighTile::FLOATS);
            float* blocks = weighing + launch->threads * WeighTile::FLOATS;
            for (int first = 0; first < values->channels; first += BLOCK)
                weigh_block(*cameras, g->count, *footprints, *pairs, {values->channels, by_images->colours}, first,
                            {by->colours, values->view_stride}, weigh_tile, blocks, nullptr);
        }
#pragma omp for schedule(static)
        for (int64_t first = 0; first < g->count; first += LANES) gathering.of_some(first);
    }
    return D3D_OK;
}
