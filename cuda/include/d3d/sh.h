// Colour that changes with the direction of view: real spherical harmonics up to degree 3, and their gradient.
// The definition is distill3d/sh.py. Source: Kerbl et al. 2023 (arXiv 2308.04079), for the order and the signs;
// Sloan 2013, Efficient Spherical Harmonic Evaluation (JCGT 2(2)), for the polynomials.
#pragma once

#include "lane.h"

namespace d3d {

constexpr int HARMONICS_MAX = 16;

// The factors of the polynomials, by degree and order: sqrt((2l + 1) / (4 pi) (l - m)! / (l + m)!), gathered.
constexpr double SH_0 = 0.28209479177387814, SH_1 = 0.48860251190291992;
constexpr double SH_2_0 = 0.31539156525252005, SH_2_1 = 1.0925484305920792;
constexpr double SH_3_0 = 0.37317633259011540, SH_3_1 = 0.45704579946446577, SH_3_2 = 2.8906114426405538,
                 SH_3_3 = 0.59004358992664352;

// The first `count` harmonics (1, 4, 9 or 16) along the unit vector (x, y, z).
template <class F>
D3D_INLINE void harmonics(F x, F y, F z, int count, F (&value)[HARMONICS_MAX]) {
    using S = Scalar<F>;
    value[0] = fill<F>(S(SH_0));
    if (count < 4) return;
    value[1] = S(-SH_1) * y, value[2] = S(SH_1) * z, value[3] = S(-SH_1) * x;
    if (count < 9) return;
    F xx = x * x, yy = y * y, zz = z * z;
    value[4] = S(SH_2_1) * x * y, value[5] = S(-SH_2_1) * y * z, value[6] = S(SH_2_0) * (2 * zz - xx - yy);
    value[7] = S(-SH_2_1) * x * z, value[8] = S(0.5 * SH_2_1) * (xx - yy);
    if (count < 16) return;
    value[9] = S(-SH_3_3) * y * (3 * xx - yy), value[10] = S(SH_3_2) * x * y * z;
    value[11] = S(-SH_3_1) * y * (4 * zz - xx - yy), value[12] = S(SH_3_0) * z * (2 * zz - 3 * xx - 3 * yy);
    value[13] = S(-SH_3_1) * x * (4 * zz - xx - yy), value[14] = S(0.5 * SH_3_2) * z * (xx - yy);
    value[15] = S(-SH_3_3) * x * (xx - 3 * yy);
}

// The derivative of Σ by[k] * value[k] by x, y and z.
template <class F>
D3D_INLINE void harmonics_gradient(F x, F y, F z, int count, const F (&by)[HARMONICS_MAX], F (&out)[3]) {
    using S = Scalar<F>;
    out[0] = out[1] = out[2] = F{};
    if (count < 4) return;
    out[0] = S(-SH_1) * by[3], out[1] = S(-SH_1) * by[1], out[2] = S(SH_1) * by[2];
    if (count < 9) return;
    out[0] += S(SH_2_1) * (y * by[4] - z * by[7] + x * by[8]) - S(2 * SH_2_0) * x * by[6];
    out[1] += S(SH_2_1) * (x * by[4] - z * by[5] - y * by[8]) - S(2 * SH_2_0) * y * by[6];
    out[2] += S(4 * SH_2_0) * z * by[6] - S(SH_2_1) * (y * by[5] + x * by[7]);
    if (count < 16) return;
    F xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
    out[0] += S(-6 * SH_3_3) * xy * by[9] + S(SH_3_2) * (yz * by[10] + xz * by[14]) + S(2 * SH_3_1) * xy * by[11] -
              S(6 * SH_3_0) * xz * by[12] - S(SH_3_1) * (4 * zz - 3 * xx - yy) * by[13] -
              S(3 * SH_3_3) * (xx - yy) * by[15];
    out[1] += S(-3 * SH_3_3) * (xx - yy) * by[9] + S(SH_3_2) * (xz * by[10] - yz * by[14]) +
              S(2 * SH_3_1) * xy * by[13] - S(6 * SH_3_0) * yz * by[12] -
              S(SH_3_1) * (4 * zz - xx - 3 * yy) * by[11] + S(6 * SH_3_3) * xy * by[15];
    out[2] += S(SH_3_2) * (xy * by[10] + S(0.5) * (xx - yy) * by[14]) -
              S(8 * SH_3_1) * (yz * by[11] + xz * by[13]) + S(3 * SH_3_0) * (2 * zz - xx - yy) * by[12];
}

}  // namespace d3d
