// From the sums over each footprint's pixels to the gradients of Gaussians. A thread adds up one Gaussian's views.

#include "splat_gather.h"

#include "d3d/cameras.h"
#include "d3d/facing.h"

namespace d3d {

namespace {

constexpr int THREADS = 128;

// One Gaussian in one view.
struct View {
    const D3dGaussians& g;
    const D3dSplatValues& v;
    const Gaussian<float>& gaussian;
    const Camera<float>& camera;
    const float* record;

    __device__ __forceinline__ bool empty() const {
        bool all_zero = true;
        for (int i = 0; i < FIXED + seen_floats(v); i++) all_zero &= record[i] == 0;
        return all_zero;
    }

    // The inverse covariance K has gradient -M/2 (M the second moments), so the covariance has K M K / 2.
    __device__ __forceinline__ GaussianGradient<float> of_shape(const Splat<float>& s, float by_x, float by_y) const {
        float m_xx = record[3], m_xy = record[4], m_yy = record[5];
        float left_x = s.a * m_xx + s.b * m_xy, left_y = s.a * m_xy + s.b * m_yy;
        float right_x = s.b * m_xx + s.c * m_xy, right_y = s.b * m_xy + s.c * m_yy;
        float xx = 0.5f * (left_x * s.a + left_y * s.b), xy = 0.5f * (left_x * s.b + left_y * s.c);
        float yy = 0.5f * (right_x * s.b + right_y * s.c);
        if (g.antialiased) antialias_gradient(gaussian, camera, g.blur, record[0], xx, xy, yy);
        return project_gradient(gaussian, camera, by_x, by_y, xx, xy, yy, record[FIXED]);
    }

    __device__ __forceinline__ void add_radiance(int64_t splat, float* by_sh, float (&by_mean)[3]) const {
        const int64_t row = splat * v.harmonics * 3;
        const float by_rgb[3] = {record[FIXED + 1], record[FIXED + 2], record[FIXED + 3]};
        radiance_gradient(
            gaussian.mean, camera, v.harmonics, [&](int k, int colour) { return v.sh[row + 3 * k + colour]; }, by_rgb,
            by_mean, [&](int k, int colour, float value) {
                if (by_sh) by_sh[row + 3 * k + colour] += value;
            });
    }

    __device__ __forceinline__ void add_normal(float (&by_wxyz)[4]) const {
        const float* of_normal = record + FIXED + seen_floats(v) - 3;
        const float by_normal[3] = {of_normal[0], of_normal[1], of_normal[2]};
        normal_gradient(gaussian, camera, by_normal, by_wxyz);
    }
};

__device__ __forceinline__ void write_pair(float* pairs, int64_t at, float x, float y) {
    if (pairs) pairs[2 * at] = x, pairs[2 * at + 1] = y;
}

__global__ void __launch_bounds__(THREADS)
    gather_all(D3dCameras cameras, D3dGaussians g, D3dSplatValues v, D3dFootprints footprints, Records records,
               D3dGaussianGradients by) {
    const int64_t splat = thread_of_grid();
    if (splat >= g.count) return;
    const Gaussian<float> gaussian = gaussian_of(g, splat);
    GaussianGradient<float> total{};
    float opacity = 0;
    for (int i = 0; by.sh && i < 3 * v.harmonics; i++) by.sh[splat * v.harmonics * 3 + i] = 0;
    for (int view = 0; view < cameras.views; view++) {
        const int64_t at = view * g.count + splat;
        const Camera<float> camera = camera_of<float>(cameras, view);
        const float* record = records.of(at);
        const View seen{g, v, gaussian, camera, record};
        write_pair(by.absolute, at, record[ABSOLUTE], record[ABSOLUTE + 1]);
        if (seen.empty()) {
            write_pair(by.probe, at, 0, 0);
            continue;
        }
        const Splat<float> s = reinterpret_cast<const Splat<float>*>(footprints.splats)[at];
        const float by_x = s.a * record[1] + s.b * record[2], by_y = s.b * record[1] + s.c * record[2];
        write_pair(by.probe, at, by_x, by_y);
        GaussianGradient<float> from = seen.of_shape(s, by_x, by_y);
        if (v.harmonics) seen.add_radiance(splat, by.sh, from.mean);
        if (v.normals) seen.add_normal(from.wxyz);
        for (int i = 0; i < 3; i++) total.mean[i] += from.mean[i];
        for (int i = 0; i < 4; i++) total.wxyz[i] += from.wxyz[i];
        for (int i = 0; i < 3; i++) total.scale[i] += from.scale[i];
        opacity += record[0] / gaussian.opacity;
    }
    for (int i = 0; i < 3; i++) by.means[3 * splat + i] = total.mean[i];
    for (int i = 0; i < 4; i++) by.wxyz[4 * splat + i] = total.wxyz[i];
    for (int i = 0; i < 3; i++) by.scales[3 * splat + i] = total.scale[i];
    by.opacities[splat] = opacity;
}

}  // namespace

void gather_gradients(Stream& stream, const D3dCameras& cameras, const D3dGaussians& g, const D3dSplatValues& v,
                      const D3dFootprints& footprints, const Records& records, const D3dGaussianGradients& by) {
    stream.run(gather_all, Grid::over(g.count, THREADS), cameras, g, v, footprints, records, by);
}

}  // namespace d3d
