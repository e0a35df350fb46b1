// A flat Gaussian (surfel) to its plane in a picture, and the gradient of that map.
// The definition is surfels_reference.project. Source: Huang et al. 2024, 2D Gaussian Splatting (arXiv 2403.17888),
// sections 4.1 and 4.2.
//
// A point (u, v) of the plane, in standard deviations, projects to the offset d = J (u, v) / (1 + k·(u, v)) from the
// projected centre: J is the axes' projection in pixels, k their camera z over the centre's. Undone, with the affine
// coordinates s = J⁻¹ d and L = 1 - k·s: (u, v) = s / L and 1 / z = L / depth. These are the paper's homogeneous
// planes (equations 8 to 10) in the frame of the centre.
#pragma once

#include "splat.h"

namespace d3d {

constexpr float EDGE_ON = 1e-3f;       // a plane seen at a smaller sine is not met by rays
constexpr float AREA_MIN_PX2 = 1e-8f;  // nor is one whose unit square is smaller in the picture
constexpr float NO_PLANE = 1e12f;      // J⁻¹ of such a plane: beyond the filter everywhere but at the centre
constexpr float CROSSING = 0.9f;       // a disc that comes nearer to the camera by more of its depth is not bounded

template <class F>
struct SurfelShape {
    F mean[3], wxyz[4], scale[2], opacity;
};

// What rays need of a surfel; one view's.
template <class S>
struct Surfel {
    S x, y;        // projected centre in pixels
    S inverse[4];  // J⁻¹, rows u and v
    S k[2];
    S depth, inverse_depth, opacity;
    S normal[3];   // world, facing the camera
};

template <class F>
struct SurfelFootprint {
    Surfel<F> surfel;
    Splat<F> bound;  // an ellipse that holds all that can be seen of it, as a splat of the same place
    F radius;
    Mask<F> drawn;
};

// What both directions need: the plane in the camera's frame and in the picture.
template <class F>
struct SurfelPlane {
    F point[3], inverse_depth, tan_x, tan_y;
    F unit[4], inverse_length, turn[3][3];  // the quaternion normalised, and its matrix
    F axis[2][3];                           // the disc's axes of one standard deviation, camera frame
    F j[2][2], k[2];                        // j[row of the picture][axis]
};

template <class F, class S>
D3D_INLINE SurfelPlane<F> plane_of(const SurfelShape<F>& g, const Camera<S>& camera) {
    SurfelPlane<F> p;
    const auto& r = camera.rotation;
    for (int i = 0; i < 3; i++)
        p.point[i] = r[i][0] * g.mean[0] + r[i][1] * g.mean[1] + r[i][2] * g.mean[2] + camera.translation[i];
    p.inverse_depth = 1 / p.point[2];
    p.tan_x = p.point[0] * p.inverse_depth;
    p.tan_y = p.point[1] * p.inverse_depth;

    const F(&q)[4] = g.wxyz;
    p.inverse_length = 1 / square_root(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
    for (int i = 0; i < 4; i++) p.unit[i] = q[i] * p.inverse_length;
    matrix_from_unit(p.unit, p.turn);
    for (int a = 0; a < 2; a++) {
        for (int i = 0; i < 3; i++)
            p.axis[a][i] = g.scale[a] * (r[i][0] * p.turn[0][a] + r[i][1] * p.turn[1][a] + r[i][2] * p.turn[2][a]);
        p.k[a] = p.axis[a][2] * p.inverse_depth;
        p.j[0][a] = camera.fx * p.inverse_depth * (p.axis[a][0] - p.tan_x * p.axis[a][2]);
        p.j[1][a] = camera.fy * p.inverse_depth * (p.axis[a][1] - p.tan_y * p.axis[a][2]);
    }
    return p;
}

// The centre's position along the normal, which faces away from the camera where this is positive.
template <class F, class S>
D3D_INLINE F height_of(const SurfelPlane<F>& p, const Camera<S>& camera) {
    const auto& r = camera.rotation;
    F along = F{};
    for (int i = 0; i < 3; i++)
        along += p.point[i] * (r[i][0] * p.turn[0][2] + r[i][1] * p.turn[1][2] + r[i][2] * p.turn[2][2]);
    return along;
}

// The disc of `reach` standard deviations and the filter's disc of `filter_px` pixels lie in one ellipse. With
// t = 1 - reach² k², the first is an ellipse about -(reach² / t) J k with the covariance
// (reach² / t) (J Jᵀ + (reach² / t) (J k)(J k)ᵀ); adding filter_px² / t to that makes room for the second.
template <class F, class S>
D3D_INLINE Splat<F> bound_of(const SurfelPlane<F>& p, const Camera<S>& camera, F x, F y, F reach, F filter_px,
                             F& radius) {
    F t = 1 - reach * reach * (p.k[0] * p.k[0] + p.k[1] * p.k[1]);
    Mask<F> bounded = t > S(1 - CROSSING * CROSSING);
    F inverse_t = 1 / t, grown = reach * reach * inverse_t;
    F aside_x = p.j[0][0] * p.k[0] + p.j[0][1] * p.k[1], aside_y = p.j[1][0] * p.k[0] + p.j[1][1] * p.k[1];
    F filter = filter_px * filter_px * inverse_t;
    F xx = grown * (p.j[0][0] * p.j[0][0] + p.j[0][1] * p.j[0][1] + grown * aside_x * aside_x) + filter;
    F yy = grown * (p.j[1][0] * p.j[1][0] + p.j[1][1] * p.j[1][1] + grown * aside_y * aside_y) + filter;
    F xy = grown * (p.j[0][0] * p.j[1][0] + p.j[0][1] * p.j[1][1] + grown * aside_x * aside_y);

    S half_width = camera.width / 2, half_height = camera.height / 2;
    F everywhere = fill<F>(half_width * half_width + half_height * half_height);
    xx = select(bounded, xx, everywhere), yy = select(bounded, yy, everywhere), xy = select(bounded, xy, F{});
    Splat<F> b;
    b.x = select(bounded, x - grown * aside_x, fill<F>(half_width));
    b.y = select(bounded, y - grown * aside_y, fill<F>(half_height));
    F inverse = 1 / (xx * yy - xy * xy);
    b.a = yy * inverse, b.b = -xy * inverse, b.c = xx * inverse, b.cutoff = fill<F>(0.5);
    b.reach_x = square_root(xx), b.reach_y = square_root(yy);
    F half_difference = S(0.5) * (xx - yy);
    radius = square_root(S(0.5) * (xx + yy) + square_root(half_difference * half_difference + xy * xy));
    return b;
}

template <class F, class S>
D3D_INLINE SurfelFootprint<F> project(const SurfelShape<F>& g, const Camera<S>& camera, F probe_x, F probe_y) {
    SurfelPlane<F> p = plane_of(g, camera);
    SurfelFootprint<F> f;
    Surfel<F>& s = f.surfel;
    s.x = camera.fx * p.tan_x + camera.cx + probe_x;
    s.y = camera.fy * p.tan_y + camera.cy + probe_y;
    s.depth = p.point[2], s.inverse_depth = p.inverse_depth, s.opacity = g.opacity;

    F along = height_of(p, camera);
    for (int i = 0; i < 3; i++) s.normal[i] = select(along > 0, -p.turn[i][2], p.turn[i][2]);
    F distance = p.point[0] * p.point[0] + p.point[1] * p.point[1] + p.point[2] * p.point[2];
    F cube = p.inverse_depth * p.inverse_depth * p.inverse_depth;
    F determinant = camera.fx * camera.fy * g.scale[0] * g.scale[1] * along * cube;
    F size = select(determinant < 0, -determinant, determinant);
    Mask<F> met = (along * along > S(EDGE_ON) * S(EDGE_ON) * distance) & (size > S(AREA_MIN_PX2));
    F inverse = 1 / select(met, determinant, fill<F>(1));
    s.inverse[0] = select(met, p.j[1][1] * inverse, fill<F>(NO_PLANE));
    s.inverse[1] = select(met, -p.j[0][1] * inverse, F{});
    s.inverse[2] = select(met, -p.j[1][0] * inverse, F{});
    s.inverse[3] = select(met, p.j[0][0] * inverse, fill<F>(NO_PLANE));
    for (int a = 0; a < 2; a++) s.k[a] = select(met, p.k[a], F{});

    F cutoff = logarithm(g.opacity * (1 / S(ALPHA_MIN)));
    F reach = select(met, square_root(2 * cutoff), F{});
    f.bound = bound_of(p, camera, s.x, s.y, reach, square_root(cutoff), f.radius);
    Splat<F>& b = f.bound;
    b.opacity = s.opacity, b.depth = s.depth;
    F sum = s.x + s.y + determinant + b.a + b.b + b.c + f.radius + g.scale[0] + g.scale[1];
    for (int i = 0; i < 4; i++) sum += p.unit[i];
    Mask<F> in_depth = (s.depth >= camera.near) & (s.depth <= camera.far);
    Mask<F> in_picture = (b.x + b.reach_x > 0) & (b.x - b.reach_x < camera.width) & (b.y + b.reach_y > 0) &
                         (b.y - b.reach_y < camera.height);
    f.drawn = in_depth & in_picture & (cutoff > 0) & finite(sum);
    return f;
}

// The gradient by what `project` gives: the centre, J, k, the depth and the normal.
template <class F>
struct PlaneGradient {
    F x, y, j[2][2], k[2], depth, normal[3];
};

template <class F>
struct SurfelGradient {
    F mean[3], wxyz[4], scale[2];
};

// From the gradient of a rotation matrix to that of the quaternion that it was made of.
template <class F>
D3D_INLINE void wxyz_gradient(const F (&unit)[4], F inverse_length, const F (&m)[3][3], F (&out)[4]) {
    F w = unit[0], x = unit[1], y = unit[2], z = unit[3];
    F turning_x = m[2][1] - m[1][2], turning_y = m[0][2] - m[2][0], turning_z = m[1][0] - m[0][1];
    F xy = m[0][1] + m[1][0], xz = m[0][2] + m[2][0], yz = m[1][2] + m[2][1];
    F by_unit[4] = {
        2 * (x * turning_x + y * turning_y + z * turning_z),
        2 * (w * turning_x + y * xy + z * xz - 2 * x * (m[1][1] + m[2][2])),
        2 * (w * turning_y + x * xy + z * yz - 2 * y * (m[0][0] + m[2][2])),
        2 * (w * turning_z + x * xz + y * yz - 2 * z * (m[0][0] + m[1][1])),
    };
    F along = by_unit[0] * w + by_unit[1] * x + by_unit[2] * y + by_unit[3] * z;
    for (int n = 0; n < 4; n++) out[n] = (by_unit[n] - along * unit[n]) * inverse_length;
}

template <class F, class S>
D3D_INLINE SurfelGradient<F> project_gradient(const SurfelShape<F>& g, const Camera<S>& camera,
                                              const PlaneGradient<F>& by) {
    SurfelPlane<F> p = plane_of(g, camera);
    const auto& r = camera.rotation;
    SurfelGradient<F> out;
    F turn[3][3], by_tan_x = camera.fx * by.x, by_tan_y = camera.fy * by.y, over_depth = F{};
    for (int a = 0; a < 2; a++) {
        F x = camera.fx * p.inverse_depth * by.j[0][a], y = camera.fy * p.inverse_depth * by.j[1][a];
        F axis[3] = {x, y, p.inverse_depth * by.k[a] - p.tan_x * x - p.tan_y * y};
        by_tan_x -= p.axis[a][2] * x;
        by_tan_y -= p.axis[a][2] * y;
        over_depth += p.j[0][a] * by.j[0][a] + p.j[1][a] * by.j[1][a] + p.k[a] * by.k[a];
        out.scale[a] = F{};
        for (int i = 0; i < 3; i++) {
            F in_world = r[0][i] * axis[0] + r[1][i] * axis[1] + r[2][i] * axis[2];
            out.scale[a] += in_world * p.turn[i][a];
            turn[i][a] = g.scale[a] * in_world;
        }
    }
    Mask<F> away = height_of(p, camera) > 0;
    for (int i = 0; i < 3; i++) turn[i][2] = select(away, -by.normal[i], by.normal[i]);
    wxyz_gradient(p.unit, p.inverse_length, turn, out.wxyz);

    F point[3] = {by_tan_x * p.inverse_depth, by_tan_y * p.inverse_depth,
                  by.depth - p.inverse_depth * (over_depth + p.tan_x * by_tan_x + p.tan_y * by_tan_y)};
    for (int i = 0; i < 3; i++) out.mean[i] = r[0][i] * point[0] + r[1][i] * point[1] + r[2][i] * point[2];
    return out;
}

}  // namespace d3d
