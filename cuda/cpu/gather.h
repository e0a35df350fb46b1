// From the sums of each pair of a splat and a tile to the gradients of Gaussians, LANES of them at a time.
#pragma once

#include "d3d/facing.h"
#include "footprints.h"
#include "layers.h"

namespace d3d {

// A slot of sums: six moments, two absolute sums if they are asked for, and the row's channels.
struct Slots {
    const float* sums;
    int absolute, narrow;

    int channels_at() const { return 6 + absolute; }
    int64_t stride() const { return channels_at() + narrow; }
};

// One view's sums of LANES splats, added over their slots; those of the colours go straight to their gradient.
struct ViewSums {
    static constexpr int MOST = 6 + 2 + Layers<const float>::FEW;
    alignas(64) float sums[MOST][LANES] = {}, a[LANES] = {}, b[LANES] = {}, c[LANES] = {};
    WideMask drawn = {};
    bool any = false;

    Wide at(int i) const { return load(sums[i]); }
};

inline void scatter(float* table, int64_t first, int64_t end, int columns, int column, Wide lanes) {
    for (int lane = 0; lane < LANES && first + lane < end; lane++)
        table[(first + lane) * columns + column] = lanes[lane];
}

// The gradients of all Gaussians and what they are made of.
struct Gathering {
    const D3dCameras& cameras;
    const D3dGaussians& g;
    const D3dSplatValues& v;
    const D3dFootprints& footprints;
    const Layers<const float>& layers;
    const D3dGaussianGradients& by;
    Slots slots;

    ViewSums add_slots(int64_t view, int64_t first) const {
        ViewSums total;
        const Splat<float>* splats = reinterpret_cast<const Splat<float>*>(footprints.splats) + view * g.count;
        const int32_t* first_slot = footprints.first_slot + view * g.count;
        for (int lane = 0; lane < LANES && first + lane < g.count; lane++) {
            int64_t splat = first + lane;
            if (first_slot[splat] == first_slot[splat + 1]) continue;
            total.a[lane] = splats[splat].a, total.b[lane] = splats[splat].b, total.c[lane] = splats[splat].c;
            total.drawn[lane] = -1;
            total.any = true;
            for (int64_t slot = first_slot[splat]; slot < first_slot[splat + 1]; slot++)
                for (int i = 0; i < slots.stride(); i++) total.sums[i][lane] += slots.sums[slot * slots.stride() + i];
            if (layers.colours < 0 || !by.colours) continue;
            float* to = by.colours + view * v.view_stride + splat * v.channels;
            for (int channel = 0; channel < v.channels; channel++)
                to[channel] += total.sums[slots.channels_at() + layers.colours + channel][lane];
        }
        return total;
    }

    Wide channel(const ViewSums& s, int first_channel, int i) const {
        return s.at(slots.channels_at() + first_channel + i);
    }

    // The inverse covariance K has gradient -M/2 (M the second moments), so the covariance has K M K / 2.
    GaussianGradient<Wide> of_shape(const Gaussian<Wide>& gaussians, const Camera<float>& camera, const ViewSums& s,
                                    Wide by_x, Wide by_y) const {
        Wide a = load(s.a), b = load(s.b), c = load(s.c), m_xx = s.at(3), m_xy = s.at(4), m_yy = s.at(5);
        Wide left_x = a * m_xx + b * m_xy, left_y = a * m_xy + b * m_yy;
        Wide right_x = b * m_xx + c * m_xy, right_y = b * m_xy + c * m_yy;
        Wide xx = 0.5f * (left_x * a + left_y * b), xy = 0.5f * (left_x * b + left_y * c);
        Wide yy = 0.5f * (right_x * b + right_y * c);
        if (g.antialiased) antialias_gradient(gaussians, camera, g.blur, s.at(0), xx, xy, yy);
        Wide depth = layers.depth < 0 ? Wide{} : channel(s, layers.depth, 0);
        return project_gradient(gaussians, camera, by_x, by_y, xx, xy, yy, depth);
    }

    void of_radiance(const Gaussian<Wide>& gaussians, const Camera<float>& camera, const ViewSums& s, int64_t first,
                     Wide (&by_mean)[3]) const {
        const int columns = 3 * v.harmonics;
        Wide by_rgb[3];
        for (int i = 0; i < 3; i++) by_rgb[i] = channel(s, layers.radiance, i);
        auto read = [&](int k, int colour) { return gather(v.sh, first, g.count, columns, 3 * k + colour); };
        auto add = [&](int k, int colour, Wide value) {
            if (!by.sh) return;
            for (int lane = 0; lane < LANES && first + lane < g.count; lane++)
                if (s.drawn[lane]) by.sh[(first + lane) * columns + 3 * k + colour] += value[lane];
        };
        radiance_gradient(gaussians.mean, camera, v.harmonics, read, by_rgb, by_mean, add);
    }

    void clear(int64_t first) const {
        int64_t some = std::min<int64_t>(LANES, g.count - first);
        if (by.sh) std::fill_n(by.sh + first * 3 * v.harmonics, some * 3 * v.harmonics, 0.f);
        if (!by.colours || layers.wide.picture) return;  // wide colours have been written already
        for (int64_t view = 0; view < (v.view_stride ? cameras.views : 1); view++)
            std::fill_n(by.colours + view * v.view_stride + first * v.channels, some * v.channels, 0.f);
    }

    // What each view's centres receive; `pulls` are derivatives or sums of their absolute values.
    void pull(float* pulls, int64_t view, int64_t first, Wide x, Wide y) const {
        if (!pulls) return;
        scatter(pulls + 2 * view * g.count, first, g.count, 2, 0, x);
        scatter(pulls + 2 * view * g.count, first, g.count, 2, 1, y);
    }

    void of_some(int64_t first) const {
        Gaussian<Wide> gaussians = gather_gaussians(g, first);
        GaussianGradient<Wide> total{};
        Wide opacity{};
        clear(first);
        for (int64_t view = 0; view < cameras.views; view++) {
            ViewSums s = add_slots(view, first);
            Wide a = load(s.a), b = load(s.b), c = load(s.c);
            Wide by_x = a * s.at(1) + b * s.at(2), by_y = b * s.at(1) + c * s.at(2);
            pull(by.probe, view, first, by_x, by_y);
            if (slots.absolute) pull(by.absolute, view, first, s.at(6), s.at(7));
            if (!s.any) continue;

            Camera<float> camera = camera_of<float>(cameras, view);
            GaussianGradient<Wide> from = of_shape(gaussians, camera, s, by_x, by_y);
            if (layers.radiance >= 0) of_radiance(gaussians, camera, s, first, from.mean);
            if (layers.normal >= 0) {
                Wide by_normal[3];
                for (int i = 0; i < 3; i++) by_normal[i] = channel(s, layers.normal, i);
                normal_gradient(gaussians, camera, by_normal, from.wxyz);
            }
            auto add = [&](Wide& sum, Wide value) { sum += select(s.drawn, value, Wide{}); };
            for (int i = 0; i < 3; i++) add(total.mean[i], from.mean[i]);
            for (int i = 0; i < 4; i++) add(total.wxyz[i], from.wxyz[i]);
            for (int i = 0; i < 3; i++) add(total.scale[i], from.scale[i]);
            add(opacity, s.at(0) / gaussians.opacity);
        }
        for (int i = 0; i < 3; i++) scatter(by.means, first, g.count, 3, i, total.mean[i]);
        for (int i = 0; i < 4; i++) scatter(by.wxyz, first, g.count, 4, i, total.wxyz[i]);
        for (int i = 0; i < 3; i++) scatter(by.scales, first, g.count, 3, i, total.scale[i]);
        scatter(by.opacities, first, g.count, 1, 0, opacity);
    }
};

}  // namespace d3d
