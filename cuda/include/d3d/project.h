// A Gaussian's footprint in a picture, and the gradient of that map. The definition is splat_reference.project.
// Source: Kerbl et al. 2023 (arXiv 2308.04079), section 4; Zwicker et al. 2001, EWA volume splatting; for
// opacities that make up for the blur Yu et al. 2024, Mip-Splatting (arXiv 2311.16493), section 4.2.
#pragma once

#include "lane.h"

namespace d3d {

constexpr float ALPHA_MIN = 1.f / 255.f;
constexpr float JACOBIAN_MARGIN = 0.3f;

template <class F>
struct Gaussian {
    F mean[3], wxyz[4], scale[3], opacity;
};

template <class S>
struct Camera {
    S rotation[3][3], translation[3];  // world to camera
    S fx, fy, cx, cy, width, height, near, far;
};

template <class F>
struct Footprint {
    F x, y, depth;              // the centre in pixels, and the camera's z
    F a, b, c;                  // the inverse covariance [[a, b], [b, c]]
    F cutoff;                   // the exponent at which alpha is ALPHA_MIN
    F opacity;                  // the Gaussian's, less what the blur added where that is made up for
    F reach_x, reach_y;         // half the box of that ellipse
    F radius;                   // of the circle around it
    Mask<F> drawn;
};

template <class F>
struct GaussianGradient {
    F mean[3], wxyz[4], scale[3];
};

// The footprint's covariance before the blur, with the determinants before and after.
template <class F>
struct Covariance {
    F xx, xy, yy, sharp, blurred;
};

// What both directions need: the linearised map at the splat's centre.
template <class F>
struct Linearised {
    F point[3], inverse_depth;        // in the camera's frame
    F tan_x, tan_y;                   // clamped to the widened picture
    Mask<F> free_x, free_y;           // not clamped
    F to_picture[2][3];               // B = J R: world offsets to pixel offsets
    F unit[4], inverse_length;        // the quaternion normalised
    F turn[3][3];                     // its matrix Q
    F turned[2][3];                   // B Q
};

template <class F>
D3D_INLINE void matrix_from_unit(const F (&q)[4], F (&m)[3][3]) {
    F w = q[0], x = q[1], y = q[2], z = q[3];
    m[0][0] = 1 - 2 * (y * y + z * z), m[0][1] = 2 * (x * y - w * z), m[0][2] = 2 * (x * z + w * y);
    m[1][0] = 2 * (x * y + w * z), m[1][1] = 1 - 2 * (x * x + z * z), m[1][2] = 2 * (y * z - w * x);
    m[2][0] = 2 * (x * z - w * y), m[2][1] = 2 * (y * z + w * x), m[2][2] = 1 - 2 * (x * x + y * y);
}

template <class F, class S>
D3D_INLINE Linearised<F> linearise(const Gaussian<F>& g, const Camera<S>& camera) {
    Linearised<F> l;
    const auto& r = camera.rotation;
    for (int i = 0; i < 3; i++)
        l.point[i] = r[i][0] * g.mean[0] + r[i][1] * g.mean[1] + r[i][2] * g.mean[2] + camera.translation[i];
    l.inverse_depth = 1 / l.point[2];

    S margin_x = S(0.5) * JACOBIAN_MARGIN * camera.width, margin_y = S(0.5) * JACOBIAN_MARGIN * camera.height;
    F low_x = fill<F>(-(camera.cx + margin_x) / camera.fx);
    F high_x = fill<F>((camera.width - camera.cx + margin_x) / camera.fx);
    F low_y = fill<F>(-(camera.cy + margin_y) / camera.fy);
    F high_y = fill<F>((camera.height - camera.cy + margin_y) / camera.fy);
    F tan_x = l.point[0] * l.inverse_depth, tan_y = l.point[1] * l.inverse_depth;
    l.free_x = (tan_x >= low_x) & (tan_x <= high_x);
    l.free_y = (tan_y >= low_y) & (tan_y <= high_y);
    l.tan_x = lesser(greater(tan_x, low_x), high_x);
    l.tan_y = lesser(greater(tan_y, low_y), high_y);
    for (int i = 0; i < 3; i++) {
        l.to_picture[0][i] = camera.fx * l.inverse_depth * (r[0][i] - l.tan_x * r[2][i]);
        l.to_picture[1][i] = camera.fy * l.inverse_depth * (r[1][i] - l.tan_y * r[2][i]);
    }

    const F(&q)[4] = g.wxyz;
    l.inverse_length = 1 / square_root(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
    for (int i = 0; i < 4; i++) l.unit[i] = q[i] * l.inverse_length;
    matrix_from_unit(l.unit, l.turn);
    for (int row = 0; row < 2; row++)
        for (int axis = 0; axis < 3; axis++)
            l.turned[row][axis] = l.to_picture[row][0] * l.turn[0][axis] +
                                  l.to_picture[row][1] * l.turn[1][axis] +
                                  l.to_picture[row][2] * l.turn[2][axis];
    return l;
}

// The determinants are sums of squares, which keeps them right for needles.
template <class F, class S>
D3D_INLINE Covariance<F> covariance(const Linearised<F>& l, const Gaussian<F>& g, S blur) {
    F x[3], y[3];
    Covariance<F> v{};
    for (int axis = 0; axis < 3; axis++) {
        x[axis] = l.turned[0][axis] * g.scale[axis], y[axis] = l.turned[1][axis] * g.scale[axis];
        v.xx += x[axis] * x[axis], v.xy += x[axis] * y[axis], v.yy += y[axis] * y[axis];
    }
    F across[3] = {x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]};
    v.sharp = across[0] * across[0] + across[1] * across[1] + across[2] * across[2];
    v.blurred = v.sharp + blur * (v.xx + v.yy + blur);
    return v;
}

template <class F, class S>
D3D_INLINE Footprint<F> project(const Gaussian<F>& g, const Camera<S>& camera, F probe_x, F probe_y, S blur,
                                bool antialiased = false) {
    Linearised<F> l = linearise(g, camera);
    Covariance<F> v = covariance(l, g, blur);
    F xx = v.xx + blur, xy = v.xy, yy = v.yy + blur, determinant = v.blurred;

    Footprint<F> f;
    f.opacity = antialiased ? g.opacity * square_root(v.sharp / determinant) : g.opacity;
    F cutoff = f.cutoff = logarithm(f.opacity * (1 / S(ALPHA_MIN)));
    f.x = camera.fx * (l.point[0] * l.inverse_depth) + camera.cx + probe_x;
    f.y = camera.fy * (l.point[1] * l.inverse_depth) + camera.cy + probe_y;
    f.depth = l.point[2];
    F inverse = 1 / determinant;
    f.a = yy * inverse, f.b = -xy * inverse, f.c = xx * inverse;
    f.reach_x = square_root(2 * cutoff * xx);
    f.reach_y = square_root(2 * cutoff * yy);
    F half_difference = S(0.5) * (xx - yy);
    F largest = S(0.5) * (xx + yy) + square_root(half_difference * half_difference + xy * xy);
    f.radius = square_root(2 * cutoff * largest);

    F sum = f.x + f.y + f.a + f.b + f.c + f.radius;
    for (int i = 0; i < 3; i++) sum += g.mean[i] + g.scale[i];
    Mask<F> in_depth = (f.depth >= camera.near) & (f.depth <= camera.far);
    Mask<F> in_picture = (f.x + f.reach_x > 0) & (f.x - f.reach_x < camera.width) & (f.y + f.reach_y > 0) &
                         (f.y - f.reach_y < camera.height);
    Mask<F> regular = (determinant > 0) & (cutoff > 0) & finite(sum) & finite(determinant);
    f.drawn = in_depth & in_picture & regular;
    return f;
}

// From the gradient `turn` of the rotation's matrix to that of the quaternion.
template <class F>
D3D_INLINE void wxyz_gradient(const Linearised<F>& l, const F (&turn)[3][3], F (&out)[4]) {
    F w = l.unit[0], i = l.unit[1], j = l.unit[2], k = l.unit[3];
    F unit[4] = {
        2 * (i * (turn[2][1] - turn[1][2]) + j * (turn[0][2] - turn[2][0]) + k * (turn[1][0] - turn[0][1])),
        2 * (w * (turn[2][1] - turn[1][2]) + j * (turn[0][1] + turn[1][0]) + k * (turn[0][2] + turn[2][0]) -
             2 * i * (turn[1][1] + turn[2][2])),
        2 * (w * (turn[0][2] - turn[2][0]) + i * (turn[0][1] + turn[1][0]) + k * (turn[1][2] + turn[2][1]) -
             2 * j * (turn[0][0] + turn[2][2])),
        2 * (w * (turn[1][0] - turn[0][1]) + i * (turn[0][2] + turn[2][0]) + j * (turn[1][2] + turn[2][1]) -
             2 * k * (turn[0][0] + turn[1][1])),
    };
    F along = unit[0] * w + unit[1] * i + unit[2] * j + unit[3] * k;
    for (int n = 0; n < 4; n++) out[n] = (unit[n] - along * l.unit[n]) * l.inverse_length;
}

// Adds to the gradient of the covariance what comes through the opacity that makes up for the blur;
// `by_logarithm` is the gradient of that opacity times the opacity.
template <class F, class S>
D3D_INLINE void antialias_gradient(const Gaussian<F>& g, const Camera<S>& camera, S blur, F by_logarithm, F& xx, F& xy,
                                   F& yy) {
    Covariance<F> v = covariance(linearise(g, camera), g, blur);
    F half = S(0.5) * by_logarithm, by_sharp = half / v.sharp, by_blurred = half / v.blurred;
    xx += v.yy * by_sharp - (v.yy + blur) * by_blurred;
    xy += v.xy * (by_blurred - by_sharp);
    yy += v.xx * by_sharp - (v.xx + blur) * by_blurred;
}

// From the gradient of the centre (x, y), of the covariance (the symmetric matrix [[xx, xy], [xy, yy]] of
// derivatives) and of the depth, to that of the Gaussian.
template <class F, class S>
D3D_INLINE GaussianGradient<F> project_gradient(const Gaussian<F>& g, const Camera<S>& camera, F x, F y, F xx,
                                                F xy, F yy, F depth) {
    Linearised<F> l = linearise(g, camera);
    GaussianGradient<F> out;
    F turn[3][3], to_picture[2][3] = {};
    for (int axis = 0; axis < 3; axis++) {
        F scale = g.scale[axis], from_x = l.turned[0][axis], from_y = l.turned[1][axis];
        F by_x = 2 * (xx * from_x + xy * from_y) * scale, by_y = 2 * (xy * from_x + yy * from_y) * scale;
        out.scale[axis] = by_x * from_x + by_y * from_y;
        for (int i = 0; i < 3; i++) {
            turn[i][axis] = scale * (l.to_picture[0][i] * by_x + l.to_picture[1][i] * by_y);
            to_picture[0][i] += scale * by_x * l.turn[i][axis];
            to_picture[1][i] += scale * by_y * l.turn[i][axis];
        }
    }

    const auto& r = camera.rotation;
    F by_tan_x = F{}, by_tan_y = F{}, by_inverse_depth = F{};
    for (int i = 0; i < 3; i++) {
        by_tan_x -= to_picture[0][i] * r[2][i];
        by_tan_y -= to_picture[1][i] * r[2][i];
        by_inverse_depth += to_picture[0][i] * camera.fx * (r[0][i] - l.tan_x * r[2][i]) +
                            to_picture[1][i] * camera.fy * (r[1][i] - l.tan_y * r[2][i]);
    }
    by_tan_x = camera.fx * (x + select(l.free_x, by_tan_x * l.inverse_depth, F{}));
    by_tan_y = camera.fy * (y + select(l.free_y, by_tan_y * l.inverse_depth, F{}));
    by_inverse_depth += by_tan_x * l.point[0] + by_tan_y * l.point[1];
    F point[3] = {by_tan_x * l.inverse_depth, by_tan_y * l.inverse_depth,
                  depth - by_inverse_depth * l.inverse_depth * l.inverse_depth};
    for (int i = 0; i < 3; i++) out.mean[i] = r[0][i] * point[0] + r[1][i] * point[1] + r[2][i] * point[2];

    wxyz_gradient(l, turn, out.wxyz);
    return out;
}

}  // namespace d3d
