// How alike two pictures are around a pixel, and the gradient of that. The definition is ssim_reference.
//
// With the difference of means δ = μa - μb, SSIM is [L / (L + δ²)] [s / (s + v)], where L = 2 μa μb + C1,
// s = 2 cov(a, b) + C2 and v = var(a - b): the published formula, written so that equal pictures give exactly 1.
// Source: Wang et al. 2004, Image Quality Assessment: From Error Visibility to Structural Similarity, eq. 13.
#pragma once

#include "lane.h"

namespace d3d {

constexpr int SSIM_REACH = 5;  // the window is 11 x 11
constexpr float SSIM_C1 = 1e-4f, SSIM_C2 = 9e-4f;

// exp(-k² / 4.5) for k = -5 .. 5, divided by their sum: a Gaussian of 1.5 px.
template <class S>
D3D_INLINE S window_weight(int k) {
    switch (k < 0 ? -k : k) {
        case 0: return S(0.26601172486179436);
        case 1: return S(0.2130055377112537);
        case 2: return S(0.10936068950970002);
        case 3: return S(0.03600077212843083);
        case 4: return S(0.007598758135239185);
        default: return S(0.00102838008447911);
    }
}

// Four quantities of a pixel whose weighted means over the window are all that is needed; in the other direction,
// the derivatives by those means.
template <class F>
struct Four {
    F a, b, difference, product;  // a, b, (a - b)², a b
};

template <class F>
D3D_INLINE Four<F> quantities(F a, F b) {
    F d = a - b;
    return {a, b, d * d, a * b};
}

template <class F, class W>
D3D_INLINE void add_weighted(Four<F>& to, W weight, const Four<F>& from) {
    to.a += weight * from.a, to.b += weight * from.b;
    to.difference += weight * from.difference, to.product += weight * from.product;
}

// The similarity, and its derivatives by the means. Both are 0 where the window holds a number that is not finite.
template <class F>
D3D_INLINE F similarity(const Four<F>& mean, Four<F>& slope) {
    using S = Scalar<F>;
    F delta = mean.a - mean.b, both = mean.a * mean.b;
    F light = 2 * both + S(SSIM_C1), structure = 2 * (mean.product - both) + S(SSIM_C2);
    F spread = structure + (mean.difference - delta * delta);
    F light_norm = light + delta * delta;
    F structure_norm = greater(spread, fill<F>(S(0.5f * SSIM_C2)));  // at least C2, but for rounding
    F r = light / light_norm, q = structure / structure_norm, s = r * q;
    F per_light = 1 / light_norm, per_spread = 1 / structure_norm;
    slope.a = 2 * (q * (mean.b - r * mean.a) * per_light - r * (mean.b - q * mean.a) * per_spread);
    slope.b = 2 * (q * (mean.a - r * mean.b) * per_light - r * (mean.a - q * mean.b) * per_spread);
    slope.difference = -s * per_spread;
    slope.product = 2 * r * (1 - q) * per_spread;

    Mask<F> sound = finite(s) & finite(slope.a + slope.b + slope.difference + slope.product);
    slope.a = select(sound, slope.a, F{}), slope.b = select(sound, slope.b, F{});
    slope.difference = select(sound, slope.difference, F{}), slope.product = select(sound, slope.product, F{});
    return select(sound, s, F{});
}

// From the weighted means of (gradient * slope) over the windows that hold a pixel, to the gradient of that pixel.
template <class F>
D3D_INLINE void pixel_gradient(const Four<F>& mean, F a, F b, F& by_a, F& by_b) {
    F by_difference = 2 * mean.difference * (a - b);
    Mask<F> sound = finite(a) & finite(b);
    by_a = select(sound, mean.a + by_difference + mean.product * b, F{});
    by_b = select(sound, mean.b - by_difference + mean.product * a, F{});
}

}  // namespace d3d
