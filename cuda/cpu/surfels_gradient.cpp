// The gradient of project, bin and render. Each pair of a surfel and a tile writes its moments to a slot of its own,
// and each surfel adds up its slots in order: there are no atomics, and the bits do not depend on the threads.

#include "surfels.h"

using namespace d3d;

namespace {

constexpr int MOMENTS = sizeof(SurfelMoments<float>) / sizeof(float);  // then one sum for each channel

// Planes of a tile's pixels. `by_values` belong to the colours and the normal.
struct Tile {
    float *transmittance, *behind, *last, *median_place, *by_depth, *by_median, *by_one, *by_m, *by_mm, *by_values;
    float* sums;
    static constexpr int PLANES = 9;

    Tile(float* memory, int channels) {
        float** planes[PLANES] = {&transmittance, &behind, &last, &median_place, &by_depth,
                                  &by_median,     &by_one, &by_m, &by_mm};
        for (int i = 0; i < PLANES; i++) *planes[i] = memory + i * PIXELS;
        by_values = memory + PLANES * PIXELS;
        sums = by_values + channels * PIXELS;
    }
    static int64_t floats(int channels) { return (PLANES + channels) * int64_t(PIXELS) + channels * int64_t(LANES); }

    PixelGradient<Wide> pixel(int i) const { return {load(transmittance + i), load(behind + i), load(last + i)}; }
    DepthGradient<Wide> depth(int i) const {
        return {load(median_place + i), load(by_depth + i), load(by_median + i),
                load(by_one + i),       load(by_m + i),     load(by_mm + i)};
    }
};

// Copies an image's channels to planes of the tile; no image is zero.
void copy(const Place& place, const float* image, int channels, float* planes) {
    if (!image) return;
    place.for_each_pixel([&](int pixel, int64_t at) {
        for (int i = 0; i < channels; i++) planes[i * PIXELS + pixel] = image[at * channels + i];
    });
}

// Fills the tile's planes; returns the place of the last surfel that any pixel saw.
int start(const Tile& tile, const Place& place, const D3dCameras& cameras, int colours, const D3dSurfelImages& images,
          const D3dSurfelImageGradients& by) {
    State state(images, cameras, place.view);
    int64_t first = place.view * cameras.width * cameras.height;
    std::fill_n(tile.transmittance, (Tile::PLANES + colours + NORMAL) * PIXELS, 0.f);
    std::fill_n(tile.transmittance, PIXELS, 1.f);
    std::fill_n(tile.last, PIXELS, -1.f);
    copy(place, by.alpha, 1, tile.behind);
    copy(place, by.depth, 1, tile.by_depth);
    copy(place, by.median, 1, tile.by_median);
    copy(place, by.colours, colours, tile.by_values);
    copy(place, by.normal, NORMAL, tile.by_values + colours * PIXELS);
    float deepest = -1;
    place.for_each_pixel([&](int pixel, int64_t of_all) {
        int64_t at = of_all - first;
        tile.transmittance[pixel] = state.transmittance[at];
        tile.behind[pixel] *= -state.transmittance[at];
        tile.last[pixel] = state.last[at], tile.median_place[pixel] = state.median_place[at];
        deepest = std::max(deepest, state.last[at]);
        if (!by.distortion) return;
        DepthGradient<float> d{};
        distortion_gradient(d, by.distortion[of_all], state.transmittance[at], state.m[at], state.mm[at]);
        tile.by_one[pixel] = d.by_one, tile.by_m[pixel] = d.by_m, tile.by_mm[pixel] = d.by_mm;
    });
    return int(deepest);
}

// What a tile knows of one surfel of its list.
struct Listed {
    const Splat<float>& bound;
    const Surfel<float>& surfel;
    const float* colour;
    int colours;
    float place, origin, near;

    float value(int channel) const { return channel < colours ? colour[channel] : surfel.normal[channel - colours]; }
};

// Takes one surfel off every pixel of the tile and writes its sums to `out`.
template <int CHANNELS>
void unblend_surfel(const Tile& tile, const Place& place, const Listed& listed, float* out) {
    const int channels = CHANNELS ? CHANNELS : listed.colours + NORMAL;
    SurfelMoments<Wide> moments{};
    Wide sums[CHANNELS ? CHANNELS : 1]{};
    float value[CHANNELS ? CHANNELS : 1];
    for (int channel = 0; channel < CHANNELS; channel++) value[channel] = listed.value(channel);
    if constexpr (CHANNELS == 0) std::fill_n(tile.sums, channels * LANES, 0.f);

    walk_strips(listed.bound, place, [&](int pixel) {
        PixelGradient<Wide> state = tile.pixel(pixel);
        Strip strip = place.strip(pixel);
        SurfelFragment<Wide> fragment = evaluate(listed.surfel, strip.x, fill<Wide>(strip.y), listed.near);
        if (!any_lane(fragment.seen & (state.last >= listed.place))) return;
        Wide shade{};
        for (int channel = 0; channel < channels; channel++)
            shade += load(tile.by_values + channel * PIXELS + pixel) *
                     (CHANNELS ? value[CHANNELS ? channel : 0] : listed.value(channel));
        DepthGradient<Wide> depth = tile.depth(pixel);
        SurfelPart<Wide> part = unblend(state, depth, fragment, shade, listed.origin, listed.place);
        add(moments, listed.surfel, fragment, part, depth, listed.origin, listed.place);
        for (int channel = 0; channel < channels; channel++) {
            Wide by_value = load(tile.by_values + channel * PIXELS + pixel);
            if constexpr (CHANNELS > 0) {
                sums[channel] += part.weight * by_value;
            } else {
                float* sum = tile.sums + channel * LANES;
                store(sum, load(sum) + part.weight * by_value);
            }
        }
        store(tile.transmittance + pixel, state.transmittance);
        store(tile.behind + pixel, state.behind);
    });
    Wide wide[MOMENTS];
    std::memcpy(wide, &moments, sizeof moments);
    for (int i = 0; i < MOMENTS; i++) out[i] = sum_lanes(wide[i]);
    for (int channel = 0; channel < channels; channel++)
        out[MOMENTS + channel] = sum_lanes(CHANNELS ? sums[CHANNELS ? channel : 0] : load(tile.sums + channel * LANES));
}

template <int CHANNELS>
void gradient_of_tile(const Tile& tile, const Place& place, int deepest, float near, const D3dSurfels& g,
                      const D3dFootprints& footprints, const D3dPairs& pairs, float* sums) {
    const int64_t stride = MOMENTS + g.channels + NORMAL;
    const Splat<float>* bounds = splats_of(footprints, place.view, g.count);
    const Surfel<float>* surfels = surfels_of(footprints, place.view, g.count);
    const float origin = origin_of(place, pairs, surfels);
    for (int at = place.end_pair - place.first_pair - 1; at >= 0; at--) {
        const int32_t* pair = pairs.pairs + 2 * (int64_t(place.first_pair) + at);
        const int32_t i = pair[0];
        float* out = sums + pair[1] * stride;
        if (at > deepest)
            std::fill_n(out, stride, 0.f);
        else
            unblend_surfel<CHANNELS>(tile, place,
                                     {bounds[i], surfels[i], colour_of(g, place.view, i), g.channels, float(at),
                                      origin, near},
                                     out);
    }
}

// One view's sums of LANES surfels, added over their slots; colours go straight to their gradient.
struct ViewSums {
    alignas(64) float moments[MOMENTS][LANES] = {}, normal[NORMAL][LANES] = {}, inverse_depth[LANES] = {};
    WideMask drawn = {};
    bool any = false;

    PlaneGradient<Wide> gradient() const {
        Wide wide[MOMENTS], by_normal[NORMAL];
        for (int i = 0; i < MOMENTS; i++) wide[i] = load(moments[i]);
        for (int i = 0; i < NORMAL; i++) by_normal[i] = load(normal[i]);
        SurfelMoments<Wide> total;
        std::memcpy(&total, wide, sizeof total);
        return plane_gradient(total, load(inverse_depth), by_normal);
    }
};

ViewSums add_slots(const D3dSurfels& g, const D3dFootprints& footprints, int64_t view, int64_t first,
                   const float* sums, float* by_colours) {
    ViewSums total;
    const Surfel<float>* surfels = surfels_of(footprints, view, g.count);
    const int32_t* slots = footprints.first_slot + view * g.count;
    const int64_t stride = MOMENTS + g.channels + NORMAL;
    for (int lane = 0; lane < LANES && first + lane < g.count; lane++) {
        int64_t surfel = first + lane;
        if (slots[surfel] == slots[surfel + 1]) continue;
        total.inverse_depth[lane] = surfels[surfel].inverse_depth;
        total.drawn[lane] = -1;
        total.any = true;
        for (int32_t slot = slots[surfel]; slot < slots[surfel + 1]; slot++) {
            const float* record = sums + slot * stride;
            for (int i = 0; i < MOMENTS; i++) total.moments[i][lane] += record[i];
            record += MOMENTS;
            for (int i = 0; i < g.channels; i++) by_colours[surfel * g.channels + i] += record[i];
            for (int i = 0; i < NORMAL; i++) total.normal[i][lane] += record[g.channels + i];
        }
    }
    return total;
}

void scatter(float* table, int64_t first, int64_t end, int columns, int column, Wide lanes) {
    for (int lane = 0; lane < LANES && first + lane < end; lane++)
        table[(first + lane) * columns + column] = lanes[lane];
}

void gradient_of_some(const D3dCameras& cameras, const D3dSurfels& g, const D3dFootprints& footprints,
                      int64_t first, const float* sums, const D3dSurfelGradients& by) {
    SurfelShape<Wide> shapes = gather_shapes(g, first);
    SurfelGradient<Wide> total{};
    Wide opacity{};
    int64_t colours = std::min<int64_t>(LANES, g.count - first) * g.channels;
    for (int64_t view = 0; view < cameras.views; view++) {
        float* by_colours = by.colours + view * g.view_stride;
        if (view == 0 || g.view_stride) std::fill_n(by_colours + first * g.channels, colours, 0.f);
        ViewSums of_view = add_slots(g, footprints, view, first, sums, by_colours);
        PlaneGradient<Wide> by_plane = of_view.gradient();
        scatter(by.probe + 2 * view * g.count, first, g.count, 2, 0, by_plane.x);
        scatter(by.probe + 2 * view * g.count, first, g.count, 2, 1, by_plane.y);
        if (!of_view.any) continue;

        SurfelGradient<Wide> from_view = project_gradient(shapes, camera_of<float>(cameras, view), by_plane);
        auto add = [&](Wide& sum, Wide value) { sum += select(of_view.drawn, value, Wide{}); };
        for (int i = 0; i < 3; i++) add(total.mean[i], from_view.mean[i]);
        for (int i = 0; i < 4; i++) add(total.wxyz[i], from_view.wxyz[i]);
        for (int i = 0; i < 2; i++) add(total.scale[i], from_view.scale[i]);
        add(opacity, load(of_view.moments[0]) / shapes.opacity);
    }
    for (int i = 0; i < 3; i++) scatter(by.means, first, g.count, 3, i, total.mean[i]);
    for (int i = 0; i < 4; i++) scatter(by.wxyz, first, g.count, 4, i, total.wxyz[i]);
    for (int i = 0; i < 2; i++) scatter(by.scales, first, g.count, 2, i, total.scale[i]);
    scatter(by.opacities, first, g.count, 1, 0, opacity);
}

}  // namespace

int64_t d3d_surfels_gradient_bytes(int32_t channels, int64_t, int64_t, int64_t capacity, const D3dLaunch* launch) {
    int all = channels + NORMAL;
    return (launch->threads * Tile::floats(all) + capacity * (MOMENTS + all)) * int64_t(sizeof(float));
}

int32_t d3d_surfels_gradient(const D3dCameras* cameras, const D3dSurfels* g, const D3dFootprints* footprints,
                             const D3dPairs* pairs, const D3dSurfelImages* images,
                             const D3dSurfelImageGradients* by_images, const D3dSurfelGradients* by, void* workspace,
                             const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    const int channels = g->channels + NORMAL;
    float* tile_memory = static_cast<float*>(workspace);
    float* sums = tile_memory + launch->threads * Tile::floats(channels);
    auto gradient_of_any =
        channels == 6 ? gradient_of_tile<6> : channels == 7 ? gradient_of_tile<7> : gradient_of_tile<0>;
#pragma omp parallel num_threads(launch->threads)
    {
        Tile tile(tile_memory + omp_get_thread_num() * Tile::floats(channels), channels);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < cameras->views * tiles.count(); i++) {
            Place place(*cameras, tiles, *pairs, i);
            if (place.first_pair == place.end_pair) continue;
            int deepest = start(tile, place, *cameras, g->channels, *images, *by_images);
            gradient_of_any(tile, place, deepest, cameras->near, *g, *footprints, *pairs, sums);
        }
#pragma omp for schedule(static)
        for (int64_t first = 0; first < g->count; first += LANES)
            gradient_of_some(*cameras, *g, *footprints, first, sums, *by);
    }
    return D3D_OK;
}
