// A sample meets a ray's light: absorb, and its gradient. The definition is volume_reference.composite.
// Source: Max 1995, Optical Models for Direct Volume Rendering; the distortion is equation 15 of Barron et al. 2022,
// Mip-NeRF 360 (arXiv 2111.12077).
#pragma once

#include "lane.h"

namespace d3d {

constexpr float LIGHT_MIN = 1e-4f;  // a ray takes no more below
constexpr float OPTICAL_MAX = 80.f, LOG_DENSITY_MAX = 60.f;

// The optical depth σδ of a sample, and its derivative by log σ: the same, but 0 where it is cut off.
template <class F>
struct Optical {
    F depth, slope;
};

template <class F>
D3D_INLINE Optical<F> optical_depth(F log_density, F length) {
    F uncut = exponential(lesser(log_density, fill<F>(LOG_DENSITY_MAX))) * length;
    Mask<F> free = (uncut <= Scalar<F>(OPTICAL_MAX)) & (log_density <= Scalar<F>(LOG_DENSITY_MAX));
    Mask<F> healthy = finite(log_density);
    F depth = select(healthy, lesser(uncut, fill<F>(OPTICAL_MAX)), F{});
    return {depth, select(free & healthy, depth, F{})};
}

// Sums over the samples of a ray in front: of w, and of w t.
template <class F>
struct Front {
    F weight, weighted_t;
};

// The sample's part of Σ Σ w_i w_j |t_i - t_j| + ⅓ Σ w_i² length_i; t grows along the ray.
template <class F>
D3D_INLINE F distort(Front<F>& front, F weight, F t, F length) {
    F part = weight * (2 * (t * front.weight - front.weighted_t) + weight * length * Scalar<F>(1. / 3));
    front.weight += weight, front.weighted_t += weight * t;
    return part;
}

// Its derivative by the sample's weight; `front` and `back` are the sums over the other samples.
template <class F>
D3D_INLINE F distort_gradient(const Front<F>& front, const Front<F>& back, F weight, F t, F length) {
    return 2 * (t * front.weight - front.weighted_t + back.weighted_t - t * back.weight +
                weight * length * Scalar<F>(1. / 3));
}

// The derivative of the loss by a sample's optical depth. `shade` is the loss's derivative by its weight, `behind`
// the light that it lets through, and `beyond` the sum of weight times shade over the samples farther away.
template <class F>
D3D_INLINE F absorb_gradient(F shade, F behind, F beyond) {
    return behind * shade - beyond;
}

// Edge j of a ray stands at the quantile (j + jitter) / (count + 1) of the weights, or of the lengths where no weight
// is positive. The definition is proposal_reference.resample.
D3D_INLINE void resample_ray(const float* starts, const float* ends, const float* weights, int64_t samples,
                             float jitter, int count, float* edges) {
    float weighed = 0, total = 0;
    for (int64_t i = 0; i < samples; i++) weighed += greater(weights[i], 0.f);
    auto share = [&](int64_t i) { return weighed > 0 ? greater(weights[i], 0.f) : ends[i] - starts[i]; };
    for (int64_t i = 0; i < samples; i++) total += share(i);
    float before = 0;
    int64_t i = 0;
    for (int edge = 0; edge <= count; edge++) {
        if (samples == 0) {
            edges[edge] = 0;
            continue;
        }
        float wanted = (edge + jitter) / (count + 1) * total;
        while (i < samples - 1 && before + share(i) <= wanted) before += share(i++);
        float inside = share(i) > 0 ? (wanted - before) / share(i) : 0.f;
        edges[edge] = starts[i] + lesser(greater(inside, 0.f), 1.f) * (ends[i] - starts[i]);
    }
}

}  // namespace d3d
