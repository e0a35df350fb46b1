// CUDA's vector types and device functions on single numbers, for g++.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#define D3D_VECTORS(T, scalar)                                                                    \
    struct T##2 {                                                                                 \
        scalar x, y;                                                                              \
    };                                                                                            \
    struct T##3 {                                                                                 \
        scalar x, y, z;                                                                           \
    };                                                                                            \
    struct alignas(4 * sizeof(scalar)) T##4 {                                                     \
        scalar x, y, z, w;                                                                        \
    };                                                                                            \
    inline T##2 make_##T##2(scalar x, scalar y) { return {x, y}; }                                \
    inline T##3 make_##T##3(scalar x, scalar y, scalar z) { return {x, y, z}; }                   \
    inline T##4 make_##T##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }

D3D_VECTORS(float, float)
D3D_VECTORS(int, int)

struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

template <class To, class From>
To d3d_bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
inline int __float_as_int(float x) { return d3d_bits_as<int>(x); }
inline unsigned __float_as_uint(float x) { return d3d_bits_as<unsigned>(x); }
inline float __int_as_float(int x) { return d3d_bits_as<float>(x); }
inline float __uint_as_float(unsigned x) { return d3d_bits_as<float>(x); }

template <class T>
T __ldg(const T* at) {
    return *at;
}

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline unsigned __brev(unsigned x) {
    unsigned reversed = 0;
    for (int bit = 0; bit < 32; bit++) reversed |= (x >> bit & 1) << (31 - bit);
    return reversed;
}
inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned(uint64_t(x) * y >> 32); }

inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __log2f(float x) { return std::log2(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

#define D3D_MIN_MAX(T)                                \
    inline T min(T x, T y) { return y < x ? y : x; }  \
    inline T max(T x, T y) { return x < y ? y : x; }
D3D_MIN_MAX(int)
D3D_MIN_MAX(unsigned)
D3D_MIN_MAX(long)
D3D_MIN_MAX(unsigned long)
D3D_MIN_MAX(long long)
D3D_MIN_MAX(unsigned long long)
inline float min(float x, float y) { return std::fmin(x, y); }
inline float max(float x, float y) { return std::fmax(x, y); }
inline double min(double x, double y) { return std::fmin(x, y); }
inline double max(double x, double y) { return std::fmax(x, y); }
