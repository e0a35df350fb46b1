// One level of a multiresolution hash grid: which entries of its table surround a position, and how much each counts.
// Müller et al. 2022, Instant Neural Graphics Primitives, section 3 and appendix A, with tiny-cuda-nn's layout.
// The definition is hashgrid_reference.hashgrid.
#pragma once

#include "lane.h"

#if defined(__CUDA_ARCH__)
#define D3D_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)
#define D3D_UNROLL
#else
#define D3D_UNROLL _Pragma("GCC unroll 8")
#endif

namespace d3d {

// Positions with a coordinate beyond this, or not finite, have no features.
constexpr float POSITION_LIMIT = 1024.f;

D3D_INLINE constexpr uint32_t hash_prime(int axis) {
    return axis == 0 ? 1u : axis == 1 ? 2654435761u : 805459861u;
}

// Unsigned whole numbers in as many lanes as F.
template <class F>
struct WholeOf {
    using Type = uint32_t;
};

D3D_INLINE bool any_not_below(uint32_t x, uint32_t limit) { return x >= limit; }
D3D_INLINE uint32_t less_limit(uint32_t x, uint32_t limit) { return x >= limit ? x - limit : x; }
D3D_INLINE void take_remainder(uint32_t& x, uint32_t limit) { x %= limit; }

// The whole number at or below x as a number, and as bits; exact for |x| < 2^31.
D3D_INLINE float floor_of(float x, uint32_t& whole) {
    float below = floorf(x);
    whole = uint32_t(int32_t(below));
    return below;
}
D3D_INLINE double floor_of(double x, uint32_t& whole) {
    double below = floor(x);
    whole = uint32_t(int32_t(below));
    return below;
}

#if !defined(__CUDACC__)

typedef uint32_t WideWhole __attribute__((vector_size(LANES * 4)));

template <>
struct WholeOf<Wide> {
    using Type = WideWhole;
};

D3D_INLINE bool any_not_below(WideWhole x, uint32_t limit) { return any_lane(WideMask(x >= limit)); }
D3D_INLINE WideWhole less_limit(WideWhole x, uint32_t limit) { return x >= limit ? x - limit : x; }
__attribute__((noinline, cold)) inline void take_remainder(WideWhole& x, uint32_t limit) {
    for (int lane = 0; lane < LANES; lane++) x[lane] %= limit;
}
D3D_INLINE Wide floor_of(Wide x, WideWhole& whole) {
    WideMask towards_zero = __builtin_convertvector(x, WideMask);
    Wide below = __builtin_convertvector(towards_zero, Wide);
    WideMask above = below > x;  // -1 where it is
    whole = WideWhole(towards_zero + above);
    return select(above, below - 1, below);
}

#endif

template <class F>
using Whole = typename WholeOf<F>::Type;

struct GridLevel {
    float scale;          // cells along an axis of [0, 1]
    uint32_t resolution;  // entries along an axis, where the level is dense
    uint32_t entries;     // in the level's table; a power of two where it is hashed
    uint32_t hashed;      // 0 or 1
    uint32_t first;       // the level's first entry in the table of all levels
};

// The cell around a position: along each axis, of its lower and upper corners
template <class F, int DIMENSIONS>
struct Cell {
    Whole<F> place[DIMENSIONS][2];  // what they add to the entry's index, or mix into its hash
    F share[DIMENSIONS][2];         // how much they count
    F slope[DIMENSIONS];            // the upper one's derivative by the position; the lower one's is the opposite
};

template <class F, int DIMENSIONS>
D3D_INLINE Cell<F, DIMENSIONS> locate(const GridLevel& level, const F (&x)[DIMENSIONS], bool smooth) {
    Cell<F, DIMENSIONS> cell;
    uint32_t stride = 1;
    F known = fill<F>(1);
    for (int axis = 0; axis < DIMENSIONS; axis++)
        known = select((x[axis] <= POSITION_LIMIT) & (x[axis] >= -POSITION_LIMIT), known, F{});
    for (int axis = 0; axis < DIMENSIONS; axis++) {
        Whole<F> corner;
        F at = select(known > 0, x[axis], F{}) * Scalar<F>(level.scale) + Scalar<F>(0.5);
        F upper = at - floor_of(at, corner);
        F slope = fill<F>(1);
        if (smooth) {
            slope = 6 * upper * (1 - upper);
            upper = upper * upper * (3 - 2 * upper);
        }
        F counted = axis == 0 ? known : fill<F>(1);  // an unknown position counts for nothing
        cell.share[axis][0] = counted * (1 - upper);
        cell.share[axis][1] = counted * upper;
        cell.slope[axis] = counted * slope * Scalar<F>(level.scale);
        uint32_t step = level.hashed ? hash_prime(axis) : stride;
        cell.place[axis][0] = corner * step;
        cell.place[axis][1] = corner * step + step;
        stride *= level.resolution;
    }
    return cell;
}

// The entry of the level's table at a corner; bit i of `corner` says upper along axis i.
template <class F, int DIMENSIONS>
D3D_INLINE Whole<F> entry_at(const GridLevel& level, const Cell<F, DIMENSIONS>& cell, int corner) {
    Whole<F> entry = cell.place[0][corner & 1];
    if (level.hashed) {
        for (int axis = 1; axis < DIMENSIONS; axis++) entry = entry ^ cell.place[axis][corner >> axis & 1];
        return entry & (level.entries - 1);
    }
    for (int axis = 1; axis < DIMENSIONS; axis++) entry = entry + cell.place[axis][corner >> axis & 1];
    entry = less_limit(entry, level.entries);  // enough for positions in [0, 1]
    if (any_not_below(entry, level.entries)) take_remainder(entry, level.entries);
    return entry;
}

template <class F, int DIMENSIONS>
D3D_INLINE F weight_at(const Cell<F, DIMENSIONS>& cell, int corner) {
    F weight = cell.share[0][corner & 1];
    for (int axis = 1; axis < DIMENSIONS; axis++) weight = weight * cell.share[axis][corner >> axis & 1];
    return weight;
}

// Adds to `gradient`, that of the position, what comes through the corners' weights; `by_weight` is theirs.
template <class F, int DIMENSIONS>
D3D_INLINE void add_position_gradient(const Cell<F, DIMENSIONS>& cell, const F (&by_weight)[1 << DIMENSIONS],
                                      F (&gradient)[DIMENSIONS]) {
    D3D_UNROLL for (int axis = 0; axis < DIMENSIONS; axis++) {
        F sum = F{};
        D3D_UNROLL for (int corner = 0; corner < 1 << DIMENSIONS; corner++) {
            if (corner >> axis & 1) continue;
            F across = by_weight[corner | 1 << axis] - by_weight[corner];
            D3D_UNROLL for (int other = 0; other < DIMENSIONS; other++)
                if (other != axis) across = across * cell.share[other][corner >> other & 1];
            sum = sum + across;
        }
        gradient[axis] = gradient[axis] + sum * cell.slope[axis];
    }
}

}  // namespace d3d
