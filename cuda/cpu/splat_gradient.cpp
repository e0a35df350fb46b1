// The gradient of project, bin and render. Each pair of a splat and a tile writes its moments to a slot of its own,
// and each splat adds up its slots in order: there are no atomics, and the bits do not depend on the threads.

#include "strips.h"

using namespace d3d;

namespace {

constexpr int FIXED_SUMS = 7;  // six moments and the depth's sum; one more for each channel

struct Tile {
    float *transmittance, *last, *behind, *by_depth, *by_colours, *sums;

    Tile(float* memory, int channels)
        : transmittance(memory), last(memory + PIXELS), behind(memory + 2 * PIXELS), by_depth(memory + 3 * PIXELS),
          by_colours(memory + 4 * PIXELS), sums(by_colours + channels * PIXELS) {}
    static int64_t floats(int channels) { return (4 + channels) * int64_t(PIXELS) + channels * int64_t(LANES); }
};

// Fills the tile's planes; returns the place of the last splat that any pixel saw.
int start(const Tile& tile, const Place& place, int channels, const D3dSplatImages& images,
          const D3dSplatImageGradients& by) {
    std::fill_n(tile.transmittance, PIXELS, 1.f);
    std::fill_n(tile.last, PIXELS, -1.f);
    std::fill_n(tile.behind, (2 + channels) * PIXELS, 0.f);
    float deepest = -1;
    place.for_each_pixel([&](int pixel, int64_t at) {
        tile.transmittance[pixel] = images.transmittance[at];
        tile.last[pixel] = images.last[at];
        tile.behind[pixel] = -images.transmittance[at] * by.alpha[at];
        tile.by_depth[pixel] = by.depth[at];
        for (int channel = 0; channel < channels; channel++)
            tile.by_colours[channel * PIXELS + pixel] = by.colours[at * channels + channel];
        deepest = std::max(deepest, images.last[at]);
    });
    return int(deepest);
}

// Takes one splat off every pixel of the tile and writes its sums to `out`.
template <int CHANNELS>
void unblend_splat(const Tile& tile, const Place& place, const Splat<float>& splat, const float* colour,
                   int any_channels, float place_in_list, float* out) {
    const int channels = CHANNELS ? CHANNELS : any_channels;
    Moments<Wide> moments{};
    Wide depth_sum{};
    Wide sums[CHANNELS ? CHANNELS : 1]{};
    if constexpr (CHANNELS == 0) std::fill_n(tile.sums, channels * LANES, 0.f);

    Wide centre = fill<Wide>(splat.x), a = fill<Wide>(splat.a), b = fill<Wide>(splat.b), c = fill<Wide>(splat.c);
    for (int first = 0; first < PIXELS; first += LANES * LANES) {
        // Lane i is strip i from `first` on: which of them the splat meets is asked at once.
        Strips strips = place.strips(first);
        uint32_t left = lane_bits(meets_row(a, b, c, fill<Wide>(splat.cutoff), strips.left - centre,
                                            strips.right - centre, strips.y - splat.y));
        for (; left; left &= left - 1) {
            int pixel = first + LANES * __builtin_ctz(left);
            PixelGradient<Wide> state{load(tile.transmittance + pixel), load(tile.behind + pixel),
                                      load(tile.last + pixel)};
            if (!any_lane(state.last >= place_in_list)) continue;
            Strip strip = place.strip(pixel);
            Fragment<Wide> fragment = evaluate(splat, strip.x, strip.y);
            Wide by_depth = load(tile.by_depth + pixel);
            Wide shade = by_depth * splat.depth;
            for (int channel = 0; channel < channels; channel++)
                shade += load(tile.by_colours + channel * PIXELS + pixel) * colour[channel];
            Wide weight = unblend(state, moments, fragment, shade, place_in_list);
            depth_sum += weight * by_depth;
            for (int channel = 0; channel < channels; channel++) {
                Wide by_colour = load(tile.by_colours + channel * PIXELS + pixel);
                if constexpr (CHANNELS > 0) {
                    sums[channel] += weight * by_colour;
                } else {
                    float* sum = tile.sums + channel * LANES;
                    store(sum, load(sum) + weight * by_colour);
                }
            }
            store(tile.transmittance + pixel, state.transmittance);
            store(tile.behind + pixel, state.behind);
        }
    }
    const Wide fixed[FIXED_SUMS] = {moments.one, moments.x, moments.y, moments.xx, moments.xy, moments.yy, depth_sum};
    for (int i = 0; i < FIXED_SUMS; i++) out[i] = sum_lanes(fixed[i]);
    for (int channel = 0; channel < channels; channel++)
        out[FIXED_SUMS + channel] = sum_lanes(CHANNELS ? sums[CHANNELS ? channel : 0] : load(tile.sums + channel * LANES));
}

template <int CHANNELS>
void gradient_of_tile(const Tile& tile, const Place& place, int deepest, const D3dGaussians& g,
                      const Splat<float>* splats, const D3dPairs& pairs, float* sums) {
    const int64_t stride = FIXED_SUMS + g.channels;
    for (int at = place.end_pair - place.first_pair - 1; at >= 0; at--) {
        const int32_t* pair = pairs.pairs + 2 * (int64_t(place.first_pair) + at);
        float* out = sums + pair[1] * stride;
        if (at > deepest)
            std::fill_n(out, stride, 0.f);
        else
            unblend_splat<CHANNELS>(tile, place, splats[pair[0]], g.colours + int64_t(pair[0]) * g.channels,
                                    g.channels, float(at), out);
    }
}

// One view's sums of LANES splats, added over their slots; colours go straight to their gradient.
struct ViewSums {
    alignas(64) float fixed[FIXED_SUMS][LANES] = {}, a[LANES] = {}, b[LANES] = {}, c[LANES] = {};
    WideMask drawn = {};
    bool any = false;
};

ViewSums add_slots(const D3dGaussians& g, const D3dFootprints& footprints, int64_t view, int64_t first,
                   const float* sums, float* by_colours) {
    ViewSums total;
    const Splat<float>* splats = splats_of(footprints, view, g.count);
    const int32_t* slots = footprints.first_slot + view * g.count;
    const int64_t stride = FIXED_SUMS + g.channels;
    for (int lane = 0; lane < LANES && first + lane < g.count; lane++) {
        int64_t splat = first + lane;
        if (slots[splat] == slots[splat + 1]) continue;
        total.a[lane] = splats[splat].a, total.b[lane] = splats[splat].b, total.c[lane] = splats[splat].c;
        total.drawn[lane] = -1;
        total.any = true;
        for (int32_t slot = slots[splat]; slot < slots[splat + 1]; slot++) {
            const float* record = sums + slot * stride;
            for (int i = 0; i < FIXED_SUMS; i++) total.fixed[i][lane] += record[i];
            for (int channel = 0; channel < g.channels; channel++)
                by_colours[splat * g.channels + channel] += record[FIXED_SUMS + channel];
        }
    }
    return total;
}

void scatter(float* table, int64_t first, int64_t end, int columns, int column, Wide lanes) {
    for (int lane = 0; lane < LANES && first + lane < end; lane++)
        table[(first + lane) * columns + column] = lanes[lane];
}

void gradient_of_some(const D3dCameras& cameras, const D3dGaussians& g, const D3dFootprints& footprints, int64_t first,
                      const float* sums, const D3dGaussianGradients& by) {
    Gaussian<Wide> gaussians = gather_gaussians(g, first);
    GaussianGradient<Wide> total{};
    Wide opacity{};
    std::fill_n(by.colours + first * g.channels, std::min<int64_t>(LANES, g.count - first) * g.channels, 0.f);
    for (int64_t view = 0; view < cameras.views; view++) {
        ViewSums of_view = add_slots(g, footprints, view, first, sums, by.colours);
        Wide a = load(of_view.a), b = load(of_view.b), c = load(of_view.c);
        Wide one = load(of_view.fixed[0]), x = load(of_view.fixed[1]), y = load(of_view.fixed[2]);
        Wide xx = load(of_view.fixed[3]), xy = load(of_view.fixed[4]), yy = load(of_view.fixed[5]);
        Wide by_x = a * x + b * y, by_y = b * x + c * y;
        scatter(by.probe + 2 * view * g.count, first, g.count, 2, 0, by_x);
        scatter(by.probe + 2 * view * g.count, first, g.count, 2, 1, by_y);
        if (!of_view.any) continue;

        // The inverse covariance K has gradient -M/2 (M the second moments), so the covariance has K M K / 2.
        Wide left_x = a * xx + b * xy, left_y = a * xy + b * yy, right_x = b * xx + c * xy, right_y = b * xy + c * yy;
        GaussianGradient<Wide> from_view =
            project_gradient(gaussians, camera_of<float>(cameras, view), by_x, by_y, 0.5f * (left_x * a + left_y * b),
                             0.5f * (left_x * b + left_y * c), 0.5f * (right_x * b + right_y * c),
                             load(of_view.fixed[6]));
        auto add = [&](Wide& sum, Wide value) { sum += select(of_view.drawn, value, Wide{}); };
        for (int i = 0; i < 3; i++) add(total.mean[i], from_view.mean[i]);
        for (int i = 0; i < 4; i++) add(total.wxyz[i], from_view.wxyz[i]);
        for (int i = 0; i < 3; i++) add(total.scale[i], from_view.scale[i]);
        add(opacity, one / gaussians.opacity);
    }
    for (int i = 0; i < 3; i++) scatter(by.means, first, g.count, 3, i, total.mean[i]);
    for (int i = 0; i < 4; i++) scatter(by.wxyz, first, g.count, 4, i, total.wxyz[i]);
    for (int i = 0; i < 3; i++) scatter(by.scales, first, g.count, 3, i, total.scale[i]);
    scatter(by.opacities, first, g.count, 1, 0, opacity);
}

}  // namespace

int64_t d3d_splat_gradient_bytes(int32_t channels, int64_t pairs, const D3dLaunch* launch) {
    return (launch->threads * Tile::floats(channels) + pairs * (FIXED_SUMS + channels)) * int64_t(sizeof(float));
}

int32_t d3d_splat_gradient(const D3dCameras* cameras, const D3dGaussians* g, const D3dFootprints* footprints,
                           const D3dPairs* pairs, const D3dSplatImages* images, const D3dSplatImageGradients* by_images,
                           const D3dGaussianGradients* by, void* workspace, const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    float* tile_memory = static_cast<float*>(workspace);
    float* sums = tile_memory + launch->threads * Tile::floats(g->channels);
    auto gradient_of_any =
        g->channels == 3 ? gradient_of_tile<3> : g->channels == 4 ? gradient_of_tile<4> : gradient_of_tile<0>;
#pragma omp parallel num_threads(launch->threads)
    {
        Tile tile(tile_memory + omp_get_thread_num() * Tile::floats(g->channels), g->channels);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < cameras->views * tiles.count(); i++) {
            Place place(*cameras, tiles, *pairs, i);
            if (place.first_pair == place.end_pair) continue;
            int deepest = start(tile, place, g->channels, *images, *by_images);
            gradient_of_any(tile, place, deepest, *g, splats_of(*footprints, place.view, g->count), *pairs, sums);
        }
#pragma omp for schedule(static)
        for (int64_t first = 0; first < g->count; first += LANES)
            gradient_of_some(*cameras, *g, *footprints, first, sums, *by);
    }
    return D3D_OK;
}
