// Lanes: the number type of the maths. A kernel's maths is written once, as templates over a lane type F:
//   float, double   one value; what a CUDA thread or a gradient check uses
//   Wide            LANES floats side by side; what a CPU loop uses (not seen by nvcc)
// Comparisons of F give Mask<F>; `select` is the only branch.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define D3D_INLINE __host__ __device__ __forceinline__
#else
#define D3D_INLINE inline __attribute__((always_inline))
#endif

namespace d3d {

D3D_INLINE float select(bool mask, float yes, float no) { return mask ? yes : no; }
D3D_INLINE double select(bool mask, double yes, double no) { return mask ? yes : no; }
D3D_INLINE bool any_lane(bool mask) { return mask; }

D3D_INLINE float exponential(float x) {
#if defined(__CUDA_ARCH__)
    return __expf(x);
#else
    return std::exp(x);
#endif
}
D3D_INLINE double exponential(double x) { return exp(x); }
D3D_INLINE float logarithm(float x) { return logf(x); }
D3D_INLINE double logarithm(double x) { return log(x); }
D3D_INLINE float square_root(float x) { return sqrtf(x); }
D3D_INLINE double square_root(double x) { return sqrt(x); }

template <class F>
struct Lane {  // float and double: a lane is its own scalar
    using Scalar = F;
    using Mask = bool;
};

#if !defined(__CUDACC__)

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float Wide __attribute__((vector_size(LANES * 4)));
typedef int32_t WideMask __attribute__((vector_size(LANES * 4)));

template <>
struct Lane<Wide> {
    using Scalar = float;
    using Mask = WideMask;
};

D3D_INLINE Wide select(WideMask mask, Wide yes, Wide no) { return mask ? yes : no; }

// Bit i says lane i.
D3D_INLINE uint32_t lane_bits(WideMask mask) {
#if defined(__AVX512F__)
    return __builtin_ia32_ptestmd512(mask, mask, uint16_t(-1));
#elif defined(__AVX__)
    return uint32_t(__builtin_ia32_movmskps256((Wide)mask));
#elif defined(__SSE2__)
    return uint32_t(__builtin_ia32_movmskps((Wide)mask));
#else
    uint32_t bits = 0;
    for (int lane = 0; lane < LANES; lane++) bits |= (mask[lane] & 1u) << lane;
    return bits;
#endif
}

D3D_INLINE bool any_lane(WideMask mask) { return lane_bits(mask) != 0; }

// 2^(x / ln 2): the whole part goes to the exponent's bits, the rest to a polynomial; relative error 3e-7 for
// -87 < x < 87, and e^-87 below. Rounding by the magic constant 1.5 * 2^23 is why -ffast-math is not used.
D3D_INLINE Wide exponential(Wide x) {
    const float magic = 12582912.f;
    Wide power = x * 1.44269504f;
    power = power > -126.f ? power : Wide{} - 126.f;
    Wide rounded = power + magic;
    WideMask whole = (WideMask)rounded - (WideMask)(Wide{} + magic);
    Wide rest = power - (rounded - magic), square = rest * rest;
    // By Estrin's scheme, whose chain of dependent operations is shorter than Horner's.
    Wide low = rest * 6.9314718e-1f + 1.f, middle = rest * 5.5504109e-2f + 2.4022651e-1f;
    Wide high = rest * 1.3333558e-3f + 9.6181291e-3f;
    high = square * 1.5403530e-4f + high;
    Wide series = (square * high + middle) * square + low;
    return (Wide)((WideMask)series + (whole << 23));
}

D3D_INLINE Wide logarithm(Wide x) {
    Wide result;
    for (int lane = 0; lane < LANES; lane++) result[lane] = logf(x[lane]);
    return result;
}

D3D_INLINE Wide square_root(Wide x) {
    Wide result;
    for (int lane = 0; lane < LANES; lane++) result[lane] = sqrtf(x[lane]);
    return result;
}

typedef float Quad __attribute__((vector_size(16)));

// The sum of all lanes, in one fixed order.
D3D_INLINE float sum_lanes(Wide x) {
    Quad quads[LANES / 4];
    std::memcpy(quads, &x, sizeof x);
    Quad total = quads[0];
    for (int quad = 1; quad < LANES / 4; quad++) total += quads[quad];
    return (total[0] + total[2]) + (total[1] + total[3]);
}

D3D_INLINE Wide load(const float* from) {
    Wide result;
    std::memcpy(&result, from, sizeof result);
    return result;
}
D3D_INLINE void store(float* to, Wide x) { std::memcpy(to, &x, sizeof x); }

#endif

template <class F>
using Scalar = typename Lane<F>::Scalar;
template <class F>
using Mask = typename Lane<F>::Mask;

// The same number in every lane. Less nothing, which for every x is x: the compiler leaves only the copying.
template <class F>
D3D_INLINE F fill(Scalar<F> x) {
    return x - F{};
}
template <class F>
D3D_INLINE F lesser(F x, F y) {
    return select(x < y, x, y);
}
template <class F>
D3D_INLINE F greater(F x, F y) {
    return select(x > y, x, y);
}
// False for NaN and both infinities: x - x is 0 for finite numbers only.
template <class F>
D3D_INLINE Mask<F> finite(F x) {
    return x - x == F{};
}

}  // namespace d3d
