// What a neuron does with its sum, and its derivative. The definition is mlp_reference.mlp.
#pragma once

#include "lane.h"

namespace d3d {

enum Activation { ACTIVATION_NONE = 0, ACTIVATION_RELU = 1, ACTIVATION_SOFTPLUS = 2 };

// log(1 + u) for 0 <= u <= 1, as 2 artanh(u / (2 + u)); the series' next term is below 1e-8.
template <class F>
D3D_INLINE F log_one_plus(F u) {
    F s = u / (2 + u), square = s * s;
    F series = square * Scalar<F>(1. / 13) + Scalar<F>(1. / 11);
    series = series * square + Scalar<F>(1. / 9);
    series = series * square + Scalar<F>(1. / 7);
    series = series * square + Scalar<F>(1. / 5);
    series = series * square + Scalar<F>(1. / 3);
    series = series * square + 1;
    return 2 * s * series;
}

// log(1 + e^x), without overflow.
template <class F>
D3D_INLINE F softplus(F x) {
    F above = select(x < 0, F{}, x);
    return above + log_one_plus(exponential(x - 2 * above));
}

// NaN stays NaN.
template <class F>
D3D_INLINE F activate(int activation, F x) {
    if (activation == ACTIVATION_RELU) return select(x < 0, F{}, x);
    if (activation == ACTIVATION_SOFTPLUS) return softplus(x);
    return x;
}

// The derivative, from the activated value y: softplus' is 1 - e^-y.
template <class F>
D3D_INLINE F activation_slope(int activation, F y) {
    if (activation == ACTIVATION_RELU) return select(y > 0, fill<F>(1), F{});
    if (activation == ACTIVATION_SOFTPLUS) return 1 - exponential(-y);
    return fill<F>(1);
}

}  // namespace d3d
