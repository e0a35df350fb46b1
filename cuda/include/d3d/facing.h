// What a camera sees of a Gaussian beside its footprint: its colour along the line of sight and its normal.
// The definitions are splat_reference.radiance_seen and splat_reference.normals_seen.
#pragma once

#include "project.h"
#include "sh.h"

namespace d3d {

// From the eye to a Gaussian's mean.
template <class F>
struct Sight {
    F unit[3], inverse_length;
};

template <class F, class S>
D3D_INLINE Sight<F> sight(const F (&mean)[3], const Camera<S>& camera) {
    Sight<F> s;
    const auto& r = camera.rotation;
    const auto& t = camera.translation;
    for (int i = 0; i < 3; i++) s.unit[i] = mean[i] + (r[0][i] * t[0] + r[1][i] * t[1] + r[2][i] * t[2]);
    s.inverse_length = 1 / square_root(s.unit[0] * s.unit[0] + s.unit[1] * s.unit[1] + s.unit[2] * s.unit[2]);
    for (int i = 0; i < 3; i++) s.unit[i] *= s.inverse_length;
    return s;
}

// Colour before it is cut off at 0: Σ_k value_k sh_k + 1/2. `sh(k, colour)` reads a coefficient.
template <class F, class Read>
D3D_INLINE void radiance(const F (&value)[HARMONICS_MAX], int count, Read sh, F (&rgb)[3]) {
    for (int colour = 0; colour < 3; colour++) {
        rgb[colour] = fill<F>(Scalar<F>(0.5));
        for (int k = 0; k < count; k++) rgb[colour] += value[k] * sh(k, colour);
    }
}

// From the gradient of the colour: adds to the mean's, and gives each coefficient's to `add(k, colour, gradient)`.
template <class F, class S, class Read, class Add>
D3D_INLINE void radiance_gradient(const F (&mean)[3], const Camera<S>& camera, int count, Read sh, const F (&by_rgb)[3],
                                  F (&by_mean)[3], Add add) {
    Sight<F> s = sight(mean, camera);
    F value[HARMONICS_MAX], by_value[HARMONICS_MAX], rgb[3], by_unit[3];
    harmonics(s.unit[0], s.unit[1], s.unit[2], count, value);
    radiance(value, count, sh, rgb);
    for (int k = 0; k < count; k++) by_value[k] = F{};
    for (int colour = 0; colour < 3; colour++) {
        F by = select(rgb[colour] >= F{}, by_rgb[colour], F{});
        for (int k = 0; k < count; k++) {
            add(k, colour, by * value[k]);
            by_value[k] += by * sh(k, colour);
        }
    }
    harmonics_gradient(s.unit[0], s.unit[1], s.unit[2], count, by_value, by_unit);
    F along = by_unit[0] * s.unit[0] + by_unit[1] * s.unit[1] + by_unit[2] * s.unit[2];
    for (int i = 0; i < 3; i++) by_mean[i] += (by_unit[i] - along * s.unit[i]) * s.inverse_length;
}

// 1 for the shortest axis, the first of several, and 0 for the others.
template <class F>
D3D_INLINE void shortest(const F (&scale)[3], F (&chosen)[3]) {
    F one = fill<F>(1);
    Mask<F> first = (scale[0] <= scale[1]) & (scale[0] <= scale[2]);
    chosen[0] = select(first, one, F{});
    chosen[1] = select(scale[1] <= scale[2], one - chosen[0], F{});
    chosen[2] = one - chosen[0] - chosen[1];
}

// The shortest axis in the world, turned to the eye; `chosen` is then that axis's sign.
template <class F, class S>
D3D_INLINE void normal(const Gaussian<F>& g, const Camera<S>& camera, F (&chosen)[3], F (&out)[3]) {
    Linearised<F> l = linearise(g, camera);
    Sight<F> s = sight(g.mean, camera);
    shortest(g.scale, chosen);
    for (int i = 0; i < 3; i++)
        out[i] = l.turn[i][0] * chosen[0] + l.turn[i][1] * chosen[1] + l.turn[i][2] * chosen[2];
    Mask<F> away = out[0] * s.unit[0] + out[1] * s.unit[1] + out[2] * s.unit[2] > F{};
    for (int i = 0; i < 3; i++) {
        out[i] = select(away, -out[i], out[i]);
        chosen[i] = select(away, -chosen[i], chosen[i]);
    }
}

// Adds to the quaternion's gradient.
template <class F, class S>
D3D_INLINE void normal_gradient(const Gaussian<F>& g, const Camera<S>& camera, const F (&by_normal)[3],
                                F (&by_wxyz)[4]) {
    F chosen[3], seen[3], turn[3][3], from_normal[4];
    normal(g, camera, chosen, seen);
    for (int i = 0; i < 3; i++)
        for (int axis = 0; axis < 3; axis++) turn[i][axis] = by_normal[i] * chosen[axis];
    wxyz_gradient(linearise(g, camera), turn, from_normal);
    for (int n = 0; n < 4; n++) by_wxyz[n] += from_normal[n];
}

}  // namespace d3d
