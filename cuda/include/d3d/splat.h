// One splat meets one pixel: front to back when drawing, back to front for the gradient.
// The definition is splat_reference.splat_one.
//
// The gradient needs, for each splat, only the moments of g = alpha dL/dalpha over its pixels and one sum for
// each channel; project.h takes it from there. What lies behind a pixel is one number, whatever the channels.
#pragma once

#include "project.h"

namespace d3d {

constexpr float ALPHA_MAX = 0.999f;
constexpr float TRANSMITTANCE_MIN = 1e-4f;

template <class S>
struct Splat {
    S x, y;            // centre in pixels
    S a, b, c;         // inverse covariance
    S opacity;
    S cutoff;          // alpha >= ALPHA_MIN where the exponent is at most this
    S reach_x, reach_y;
    S depth;
};

// dᵀ K d / 2, with alpha = opacity * exp(-exponent).
template <class F, class S>
D3D_INLINE F exponent_at(S a, S b, S c, F dx, S dy) {
    return (dx * (Scalar<F>(0.5) * a) + b * dy) * dx + Scalar<F>(0.5) * c * dy * dy;
}

// Whether the splat's ellipse meets the stretch of a row from `left` to `right`; all relative to the centre, and a
// little generous, so that rounding never loses a pixel. Where it is false, no pixel of the stretch is seen.
template <class F>
D3D_INLINE Mask<F> meets_row(F a, F b, F c, F cutoff, F left, F right, F dy) {
    F nearest = lesser(greater(-b * dy / a, left), right);
    return exponent_at(a, b, c, nearest, dy) <= cutoff + Scalar<F>(1e-3);
}

template <class F>
struct Fragment {
    F dx, dy, alpha;
    Mask<F> seen;      // alpha >= ALPHA_MIN
    Mask<F> clamped;   // at ALPHA_MAX, where the gradient stops
};

template <class F, class S>
D3D_INLINE Fragment<F> evaluate(const Splat<S>& splat, F x, S y) {
    Fragment<F> f;
    S dy = y - splat.y;
    f.dx = x - splat.x;
    f.dy = fill<F>(dy);
    F unclamped = splat.opacity * exponential(-exponent_at(splat.a, splat.b, splat.c, f.dx, dy));
    f.clamped = unclamped > S(ALPHA_MAX);
    f.alpha = lesser(unclamped, fill<F>(ALPHA_MAX));
    f.seen = f.alpha >= S(ALPHA_MIN);
    return f;
}

// Light still to be given out at a pixel, and the place in the list of the last splat that took some (-1: none).
// Places are kept as numbers of the lane's own type; they are exact up to 2^24.
template <class F>
struct Pixel {
    F transmittance, last;
};

// The weight of the fragment in the picture; 0 where it is not seen or the pixel is finished.
template <class F>
D3D_INLINE F blend(Pixel<F>& pixel, const Fragment<F>& f, Scalar<F> place) {
    Mask<F> draws = f.seen & (pixel.transmittance > Scalar<F>(TRANSMITTANCE_MIN));
    F alpha = select(draws, f.alpha, F{});
    F weight = alpha * pixel.transmittance;
    pixel.transmittance *= 1 - alpha;
    pixel.last = select(draws, fill<F>(place), pixel.last);
    return weight;
}

// Sums over a splat's pixels of g times 1, dx, dy, dx², dx dy, dy².
template <class F>
struct Moments {
    F one, x, y, xx, xy, yy;

    D3D_INLINE void add(F g, const Fragment<F>& f) {
        F gx = g * f.dx, gy = g * f.dy;
        one += g, x += gx, y += gy;
        xx += gx * f.dx, xy += gx * f.dy, yy += gy * f.dy;
    }
};

// Moments, and the sums of the absolute values of each pixel's derivative by the centre (Ye et al. 2024, AbsGS,
// arXiv 2404.10484, eq. 6).
template <class F>
struct AbsoluteMoments : Moments<F> {
    Scalar<F> a, b, c;
    F absolute_x, absolute_y;

    D3D_INLINE void add(F g, const Fragment<F>& f) {
        Moments<F>::add(g, f);
        F by_x = g * (a * f.dx + b * f.dy), by_y = g * (b * f.dx + c * f.dy);
        absolute_x += select(by_x < F{}, -by_x, by_x), absolute_y += select(by_y < F{}, -by_y, by_y);
    }
};

// `behind` is the part of the loss's derivative that this and nearer splats can only shade:
// the sum over farther splats of weight * <value, gradient>, less the final transmittance times alpha's gradient.
template <class F>
struct PixelGradient {
    F transmittance, behind, last;
};

// Undoes `blend`. `shade` is <value, gradient> at the pixel; returns the weight, by which the splat's values
// receive the pixel's gradient.
template <class F, class Sums>
D3D_INLINE F unblend(PixelGradient<F>& pixel, Sums& sums, const Fragment<F>& f, F shade, Scalar<F> place) {
    Mask<F> draws = f.seen & (pixel.last >= place);
    F alpha = select(draws, f.alpha, F{});
    F inverse = 1 / (1 - alpha);
    F before = pixel.transmittance * inverse;
    F weight = alpha * before;
    F g = select(f.clamped, F{}, alpha * (before * shade - pixel.behind * inverse));
    pixel.behind += weight * shade;
    pixel.transmittance = before;
    sums.add(g, f);
    return weight;
}

}  // namespace d3d
