// One surfel meets one pixel: front to back when drawing, back to front for the gradient.
// The definition is surfels_reference.surfels_one. Source: Huang et al. 2024, 2D Gaussian Splatting
// (arXiv 2403.17888), sections 4.2 and 5, and appendix A for the distortion.
//
// The gradient needs ten sums for each surfel and tile, and one for each channel of colours and normal. The
// distortion Σ w_i w_j (m_i - m_j)² over pairs is A M2 - M1² with the sums A, M1, M2 of w, w m and w m²: a quadratic
// polynomial in m for each pixel is all that its gradient asks of a pixel. m is 1 / z up to scale and origin.
#pragma once

#include "splat.h"
#include "surfel_plane.h"

namespace d3d {

constexpr float MEDIAN_TRANSMITTANCE = 0.5f;
constexpr float DISTORTION_NEAR = 0.2f, DISTORTION_FAR = 1000.f;
// The paper's mapped depth is far / (far - near) (1 - near / z): it differs from another's by this times 1 / z.
constexpr float MAPPED = DISTORTION_FAR * DISTORTION_NEAR / (DISTORTION_FAR - DISTORTION_NEAR);

// Where a pixel's ray meets a surfel.
template <class F>
struct Meeting {
    F dx, dy;            // from the projected centre, px
    F s[2], inverse_l;   // affine coordinates, and 1 / L
    F exponent, z, inverse_z;
    Mask<F> on_plane;    // the meeting with the plane counts, not the low-pass filter
};

template <class F>
struct SurfelFragment : Meeting<F> {
    F alpha;
    Mask<F> seen, clamped;
};

template <class F, class S>
D3D_INLINE Meeting<F> meet(const Surfel<S>& g, F x, F y, S near) {
    Meeting<F> m;
    m.dx = x - g.x, m.dy = y - g.y;
    m.s[0] = g.inverse[0] * m.dx + g.inverse[1] * m.dy;
    m.s[1] = g.inverse[2] * m.dx + g.inverse[3] * m.dy;
    F l = 1 - g.k[0] * m.s[0] - g.k[1] * m.s[1];
    m.inverse_l = 1 / l;
    F plane = S(0.5) * (m.s[0] * m.s[0] + m.s[1] * m.s[1]) * (m.inverse_l * m.inverse_l);
    F filter = m.dx * m.dx + m.dy * m.dy;
    F z = g.depth * m.inverse_l;
    m.on_plane = (plane <= filter) & (z >= near);
    m.exponent = select(m.on_plane, plane, filter);
    m.z = select(m.on_plane, z, fill<F>(g.depth));
    m.inverse_z = select(m.on_plane, l * g.inverse_depth, fill<F>(g.inverse_depth));
    return m;
}

template <class F, class S>
D3D_INLINE SurfelFragment<F> evaluate(const Surfel<S>& g, F x, F y, S near) {
    SurfelFragment<F> f;
    static_cast<Meeting<F>&>(f) = meet(g, x, y, near);
    F unclamped = g.opacity * exponential(-f.exponent);
    f.clamped = unclamped > S(ALPHA_MAX);
    f.alpha = lesser(unclamped, fill<F>(ALPHA_MAX));
    f.seen = f.alpha >= S(ALPHA_MIN);
    return f;
}

// What a pixel gathers beside colours and normal: Σ w z, Σ w m and Σ w m², and the median's depth and place in the
// list (-1: none). m is 1 / z less that of the tile's first surfel, so that the distortion does not cancel.
template <class F>
struct SurfelPixel {
    F transmittance, last, depth, m, mm, median, median_place;
};

// The weight of the fragment in the picture; 0 where it is not seen or the pixel is finished.
template <class F, class S>
D3D_INLINE F blend(SurfelPixel<F>& pixel, const SurfelFragment<F>& f, S origin, S place) {
    Mask<F> draws = f.seen & (pixel.transmittance > S(TRANSMITTANCE_MIN));
    Mask<F> is_median = draws & (pixel.transmittance > S(MEDIAN_TRANSMITTANCE));
    F alpha = select(draws, f.alpha, F{});
    F weight = alpha * pixel.transmittance;
    F m = f.inverse_z - origin;
    pixel.transmittance -= weight;
    pixel.last = select(draws, fill<F>(place), pixel.last);
    pixel.depth += weight * f.z;
    pixel.m += weight * m;
    pixel.mm += weight * m * m;
    pixel.median = select(is_median, f.z, pixel.median);
    pixel.median_place = select(is_median, fill<F>(place), pixel.median_place);
    return weight;
}

template <class F>
D3D_INLINE F distortion_of(const SurfelPixel<F>& pixel) {
    F alpha = 1 - pixel.transmittance;
    return Scalar<F>(MAPPED * MAPPED) * (alpha * pixel.mm - pixel.m * pixel.m);
}

// What a pixel's depth, median depth and distortion ask of the surfels. The distortion's derivative by a weight is
// (by_mm m + by_m) m + by_one.
template <class F>
struct DepthGradient {
    F median_place, by_depth, by_median, by_one, by_m, by_mm;
};

template <class F>
D3D_INLINE void distortion_gradient(DepthGradient<F>& by, F by_distortion, F transmittance, F m, F mm) {
    F scaled = Scalar<F>(MAPPED * MAPPED) * by_distortion;
    by.by_one = scaled * mm;
    by.by_m = -2 * scaled * m;
    by.by_mm = scaled * (1 - transmittance);
}

// The part of a pixel in one surfel: its weight, by which colours and normal receive the pixel's gradient, and
// g = alpha dL/dalpha.
template <class F>
struct SurfelPart {
    F weight, g;
};

// Undoes `blend`. `shade` is <colour and normal, gradient> at the pixel.
template <class F, class S>
D3D_INLINE SurfelPart<F> unblend(PixelGradient<F>& pixel, const DepthGradient<F>& by, const SurfelFragment<F>& f,
                                 F shade, S origin, S place) {
    Mask<F> draws = f.seen & (pixel.last >= place);
    F alpha = select(draws, f.alpha, F{});
    F inverse = 1 / (1 - alpha);
    F before = pixel.transmittance * inverse;
    F m = f.inverse_z - origin;
    shade += by.by_depth * f.z + (by.by_mm * m + by.by_m) * m + by.by_one;
    SurfelPart<F> part;
    part.weight = alpha * before;
    part.g = select(f.clamped, F{}, alpha * (before * shade - pixel.behind * inverse));
    pixel.behind += part.weight * shade;
    pixel.transmittance = before;
    return part;
}

// Sums over a surfel's pixels. λ is the pull on the place of the surface point in the picture.
template <class F>
struct SurfelMoments {
    F one;      // of g
    F x, y;     // of λ
    F j[2][2];  // of λ sᵀ
    F k[2];     // of dL/dL s
    F depth;    // of dL/d(1 / z) / z
};

template <class F, class S>
D3D_INLINE void add(SurfelMoments<F>& moments, const Surfel<S>& surfel, const Meeting<F>& f, const SurfelPart<F>& part,
                    const DepthGradient<F>& by, S origin, S place) {
    const F g = part.g;
    F m = f.inverse_z - origin;
    F by_z = part.weight * by.by_depth + select(by.median_place == place, by.by_median, F{});
    F by_inverse_z = part.weight * (2 * by.by_mm * m + by.by_m) - by_z * f.z * f.z;
    F by_l = 2 * g * f.exponent * f.inverse_l + by_inverse_z * surfel.inverse_depth;
    F pull = g * f.inverse_l * f.inverse_l;
    F s0 = select(f.on_plane, f.s[0], F{}), s1 = select(f.on_plane, f.s[1], F{});
    F by_s0 = -pull * s0 - surfel.k[0] * by_l, by_s1 = -pull * s1 - surfel.k[1] * by_l;
    F x = select(f.on_plane, surfel.inverse[0] * by_s0 + surfel.inverse[2] * by_s1, -2 * g * f.dx);
    F y = select(f.on_plane, surfel.inverse[1] * by_s0 + surfel.inverse[3] * by_s1, -2 * g * f.dy);
    by_l = select(f.on_plane, by_l, F{});
    moments.one += g, moments.x += x, moments.y += y;
    moments.j[0][0] += x * s0, moments.j[0][1] += x * s1;
    moments.j[1][0] += y * s0, moments.j[1][1] += y * s1;
    moments.k[0] += by_l * s0, moments.k[1] += by_l * s1;
    moments.depth += by_inverse_z * f.inverse_z;
}

// The moments are those of the inverse map, hence the signs.
template <class F>
D3D_INLINE PlaneGradient<F> plane_gradient(const SurfelMoments<F>& moments, F inverse_depth, const F (&normal)[3]) {
    PlaneGradient<F> by;
    by.x = -moments.x, by.y = -moments.y;
    for (int a = 0; a < 2; a++) {
        by.j[0][a] = -moments.j[0][a], by.j[1][a] = -moments.j[1][a];
        by.k[a] = -moments.k[a];
    }
    by.depth = -moments.depth * inverse_depth;
    for (int i = 0; i < 3; i++) by.normal[i] = normal[i];
    return by;
}

}  // namespace d3d
