// Each tile's splats over its pixels, front to back. A strip is LANES pixels of one row.
//
// The few channels of the row (see layers.h) stay in registers while a strip is walked. Wide colours are a product of
// matrices: the walk notes the weights, and the sums are then taken for LANES channels of LANES pixels at a time.

#include "layers.h"
#include "walk.h"

using namespace d3d;

namespace {

using Images = Layers<float>;

struct Tile {
    float *transmittance, *last;
    float *narrow;  // [narrow][PIXELS]
    float *rows;    // [BATCH][narrow]
    float *wide;    // [PIXELS][stride]: sums of the wide colours
    float *values;  // [BATCH][stride]
    int64_t stride;

    Tile(float* memory, const Images& images)
        : transmittance(memory), last(memory + PIXELS), narrow(memory + 2 * PIXELS),
          rows(narrow + images.narrow * PIXELS), wide(rows + images.narrow * BATCH),
          values(wide + whole_lanes(images.wide.channels) * PIXELS), stride(whole_lanes(images.wide.channels)) {}
    static int64_t floats(int narrow, int wide) {
        return (2 + narrow) * PIXELS + narrow * BATCH + whole_lanes(wide) * (PIXELS + BATCH);
    }
};

// The splats of a batch that meet a strip, with their weights.
struct Met {
    alignas(64) float weights[BATCH][LANES];
    int splat[BATCH];
    int count = 0;

    void note(int i, Wide weight) {
        store(weights[count], weight);
        splat[count++] = i;
    }
};

// Adds weight times value to LANES channels of the strip's pixels, all channels in turn.
void add_wide(const Tile& tile, const Met& met, int pixel) {
    for (int64_t channel = 0; channel < tile.stride; channel += LANES) {
        float* sums = tile.wide + pixel * tile.stride + channel;
        Wide total[LANES];
        for (int lane = 0; lane < LANES; lane++) total[lane] = load(sums + lane * tile.stride);
        for (int i = 0; i < met.count; i++) {
            Wide value = load(tile.values + met.splat[i] * tile.stride + channel);
            for (int lane = 0; lane < LANES; lane++) total[lane] += met.weights[i][lane] * value;
        }
        for (int lane = 0; lane < LANES; lane++) store(sums + lane * tile.stride, total[lane]);
    }
}

template <int NARROW>
bool blend_strip(const Tile& tile, const Batch& batch, int place, int pixel, const Strip& strip) {
    Pixel<Wide> state{load(tile.transmittance + pixel), load(tile.last + pixel)};
    Wide sums[NARROW + 1];
    for (int channel = 0; channel < NARROW; channel++) sums[channel] = load(tile.narrow + channel * PIXELS + pixel);
    auto add_narrow = [&](int i, Wide weight) {
        for (int channel = 0; channel < NARROW; channel++) sums[channel] += weight * tile.rows[i * NARROW + channel];
    };
    bool open;
    if (tile.stride) {
        Met met;
        open = walk_splats(batch, strip, state, place, [&](int i, Wide weight) {
            add_narrow(i, weight);
            met.note(i, weight);
        });
        add_wide(tile, met, pixel);
    } else {
        open = walk_splats(batch, strip, state, place, add_narrow);
    }
    store(tile.transmittance + pixel, state.transmittance);
    store(tile.last + pixel, state.last);
    for (int channel = 0; channel < NARROW; channel++) store(tile.narrow + channel * PIXELS + pixel, sums[channel]);
    return open;
}

template <int NARROW>
void render_tile(const Tile& tile, const Place& place, const Images& layers, const Splat<float>* splats,
                 const D3dPairs& pairs) {
    Batch batch;
    for (int first = place.first_pair; first < place.end_pair; first += BATCH) {
        const int32_t* pair = pairs.pairs + 2 * int64_t(first);
        for (int i = BATCH; i < std::min(2 * BATCH, place.end_pair - first); i++) {  // those of the next batch
            __builtin_prefetch(&splats[pair[2 * i]]);
            layers.ask_for_row(place.view, pair[2 * i]);
        }
        batch.fill(std::min(BATCH, place.end_pair - first), [&](int i) { return splats[pair[2 * i]]; });
        for (int i = 0; i < batch.count; i++) {
            layers.row(place.view, pair[2 * i], tile.rows + i * NARROW);
            if (!tile.stride) continue;
            std::copy_n(layers.wide_row(place.view, pair[2 * i]), layers.wide.channels, tile.values + i * tile.stride);
        }
        bool open = false;
        for (int pixel = 0; pixel < PIXELS; pixel += LANES)
            open |= blend_strip<NARROW>(tile, batch, first - place.first_pair, pixel, place.strip(pixel));
        if (!open) break;
    }
}

void start(const Tile& tile, const Place& place, const Images& layers) {
    for (int pixel = 0; pixel < PIXELS; pixel++) {
        tile.transmittance[pixel] = place.inside(pixel) ? 1.f : 0.f;  // pixels outside the picture are finished
        tile.last[pixel] = -1;
    }
    std::fill_n(tile.narrow, layers.narrow * PIXELS, 0.f);
    std::fill_n(tile.wide, tile.stride * (PIXELS + BATCH), 0.f);
}

void write(const Tile& tile, const Place& place, const Images& layers, const D3dSplatImages& images) {
    place.for_each_pixel([&](int pixel, int64_t at) {
        images.alpha[at] = 1 - tile.transmittance[pixel];
        images.transmittance[at] = tile.transmittance[pixel];
        images.last[at] = tile.last[pixel];
    });
    for (int i = 0; i < layers.count; i++) {
        const Images::Layer& layer = layers.layers[i];
        place.for_each_pixel([&](int pixel, int64_t at) {
            for (int channel = 0; channel < layer.channels; channel++)
                layer.picture[at * layer.channels + channel] = tile.narrow[(layer.first + channel) * PIXELS + pixel];
        });
    }
    if (!tile.stride) return;
    const int channels = layers.wide.channels;
    place.for_each_pixel([&](int pixel, int64_t at) {
        std::copy_n(tile.wide + pixel * tile.stride, channels, layers.wide.picture + at * channels);
    });
}

}  // namespace

int64_t d3d_splat_render_bytes(const D3dSplatValues* values, const D3dLaunch* launch) {
    return launch->threads * Tile::floats(Images::FEW, values->channels) * int64_t(sizeof(float));
}

int32_t d3d_splat_render(const D3dCameras* cameras, int64_t count, const D3dSplatValues* values,
                         const D3dFootprints* footprints, const D3dPairs* pairs, const D3dSplatImages* images,
                         void* workspace, const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    Images layers(*values, *footprints, count, *images);
    auto render_any = pick(layers.narrow, std::make_integer_sequence<int, Images::FEW + 1>{},
                           [](auto narrow) { return render_tile<decltype(narrow)::value>; });
#pragma omp parallel num_threads(launch->threads)
    {
        int64_t floats = Tile::floats(Images::FEW, values->channels);
        Tile tile(static_cast<float*>(workspace) + omp_get_thread_num() * floats, layers);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < cameras->views * tiles.count(); i++) {
            Place place(*cameras, tiles, *pairs, i);
            start(tile, place, layers);
            render_any(tile, place, layers, splats_of(*footprints, place.view, count), *pairs);
            write(tile, place, layers, *images);
        }
    }
    return D3D_OK;
}
