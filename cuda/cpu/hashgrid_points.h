// Points in groups of LANES through one level of a hash grid.
#pragma once

#include <algorithm>

#include "d3d/abi_hashgrid.h"
#include "d3d/hashgrid.h"

#pragma GCC diagnostic ignored "-Wpsabi"  // an entry of 8 floats is passed between inlined functions only

namespace d3d {

constexpr int POINTS = 960;  // at a time, so that what belongs to them stays in the cache
static_assert(POINTS % LANES == 0, "points come in whole groups");

// An entry of the table, or a point's features of one level.
template <int FEATURES>
struct EntryOf {
    typedef float Type __attribute__((vector_size(FEATURES * 4)));
};
template <>
struct EntryOf<1> {
    typedef float Type;
};
template <int FEATURES>
using Entry = typename EntryOf<FEATURES>::Type;

template <int FEATURES>
D3D_INLINE Entry<FEATURES> load_entry(const float* from) {
    Entry<FEATURES> entry;
    std::memcpy(&entry, from, FEATURES * sizeof(float));
    return entry;
}
template <int FEATURES>
D3D_INLINE void store_entry(float* to, Entry<FEATURES> entry) {
    std::memcpy(to, &entry, FEATURES * sizeof(float));
}

// Up to POINTS positions, axis by axis; zeros fill the last group.
template <int DIMENSIONS>
struct Positions {
    int count;
    alignas(64) float x[DIMENSIONS][POINTS];

    Positions(const float* positions, int64_t first, int count) : count(count) {
        const float* from = positions + first * DIMENSIONS;
        for (int i = 0; i < count; i++)
            for (int axis = 0; axis < DIMENSIONS; axis++) x[axis][i] = from[i * DIMENSIONS + axis];
        for (int i = count; i % LANES; i++)
            for (int axis = 0; axis < DIMENSIONS; axis++) x[axis][i] = 0;
    }
    Cell<Wide, DIMENSIONS> locate(const GridLevel& level, int first, bool smooth) const {
        Wide at[DIMENSIONS];
        for (int axis = 0; axis < DIMENSIONS; axis++) at[axis] = load(x[axis] + first);
        return d3d::locate(level, at, smooth);
    }
};

// The corners around LANES points, in memory.
template <int DIMENSIONS>
struct Corners {
    alignas(64) uint32_t entry[1 << DIMENSIONS][LANES];
    alignas(64) float weight[1 << DIMENSIONS][LANES];

    Corners(const GridLevel& level, const Cell<Wide, DIMENSIONS>& cell) {
        D3D_UNROLL for (int corner = 0; corner < 1 << DIMENSIONS; corner++) {
            WideWhole entries = entry_at(level, cell, corner);
            std::memcpy(entry[corner], &entries, sizeof entries);
            store(weight[corner], weight_at(cell, corner));
        }
    }
};

inline GridLevel level_of(const D3dHashGrid& grid, int level) {
    const D3dGridLevel& l = grid.level[level];
    return {l.scale, l.resolution, l.entries, l.hashed, l.first};
}

// Writes the features of `count` positions from `first` on, a row of `stride` floats for each.
using Encode = void (*)(const D3dHashGrid&, const float* positions, int64_t first, int count, float* rows, int stride);

template <int DIMENSIONS, int FEATURES>
void encode_points(const D3dHashGrid& grid, const float* positions, int64_t first, int count, float* rows,
                   int stride) {
    Positions<DIMENSIONS> points(positions, first, count);
    for (int i = 0; i < grid.levels; i++) {
        GridLevel level = level_of(grid, i);
        const float* table = grid.table + int64_t(level.first) * FEATURES;
        for (int group = 0; group < count; group += LANES) {
            Corners<DIMENSIONS> corners(level, points.locate(level, group, grid.smooth));
            for (int lane = 0; lane < LANES && group + lane < count; lane++) {
                Entry<FEATURES> sum{};
                for (int corner = 0; corner < 1 << DIMENSIONS; corner++)
                    sum += corners.weight[corner][lane] *
                           load_entry<FEATURES>(table + int64_t(corners.entry[corner][lane]) * FEATURES);
                store_entry<FEATURES>(rows + int64_t(group + lane) * stride + i * FEATURES, sum);
            }
        }
    }
}

// Calls visit(dimensions, features) with constants that a template can take.
template <class Visit>
auto with_sizes(const D3dHashGrid& grid, Visit visit) {
    auto with_features = [&](auto dimensions) {
        switch (grid.features) {
            case 1: return visit(dimensions, std::integral_constant<int, 1>{});
            case 2: return visit(dimensions, std::integral_constant<int, 2>{});
            case 4: return visit(dimensions, std::integral_constant<int, 4>{});
            default: return visit(dimensions, std::integral_constant<int, 8>{});
        }
    };
    return grid.dimensions == 2 ? with_features(std::integral_constant<int, 2>{})
                                : with_features(std::integral_constant<int, 3>{});
}

inline Encode encoder(const D3dHashGrid& grid) {
    return with_sizes(grid, [](auto d, auto f) -> Encode { return encode_points<d, f>; });
}

}  // namespace d3d
