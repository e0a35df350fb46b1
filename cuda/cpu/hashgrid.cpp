// The hash grid over many points. Forward and towards positions, threads share the points; towards the table they
// share the levels, or slices of them, so that every entry adds its points up in their order.

#include <type_traits>

#include "hashgrid_points.h"

using namespace d3d;

namespace {

// A part of a level's table that belongs to one thread.
struct Slice {
    int level;
    uint32_t first, count;

    Slice(const D3dHashGrid& grid, int slices, int task) : level(task / slices) {
        uint64_t entries = grid.level[level].entries, i = uint64_t(task % slices);
        first = uint32_t(entries * i / slices);
        count = uint32_t(entries * (i + 1) / slices) - first;
    }
};

using ScatterSlice = void (*)(const D3dHashGrid&, const Slice&, int64_t points, const float* positions,
                              const float* by_features, float* by_table);

template <int DIMENSIONS, int FEATURES>
void scatter_slice(const D3dHashGrid& grid, const Slice& slice, int64_t points, const float* positions,
                   const float* by_features, float* by_table) {
    GridLevel level = level_of(grid, slice.level);
    float* table = by_table + (int64_t(level.first) + slice.first) * FEATURES;
    std::fill_n(table, int64_t(slice.count) * FEATURES, 0.f);
    int64_t stride = int64_t(grid.levels) * FEATURES;
    for (int64_t first = 0; first < points; first += POINTS) {
        Positions<DIMENSIONS> some(positions, first, int(std::min<int64_t>(POINTS, points - first)));
        const float* gradient = by_features + first * stride + slice.level * FEATURES;
        for (int group = 0; group < some.count; group += LANES) {
            Corners<DIMENSIONS> corners(level, some.locate(level, group, grid.smooth));
            for (int lane = 0; lane < LANES && group + lane < some.count; lane++) {
                Entry<FEATURES> g = load_entry<FEATURES>(gradient + (group + lane) * stride);
                for (int corner = 0; corner < 1 << DIMENSIONS; corner++) {
                    uint32_t entry = corners.entry[corner][lane] - slice.first;
                    if (entry >= slice.count) continue;
                    float* at = table + int64_t(entry) * FEATURES;
                    store_entry<FEATURES>(at, load_entry<FEATURES>(at) + corners.weight[corner][lane] * g);
                }
            }
        }
    }
}

using ToPositions = void (*)(const D3dHashGrid&, const float* positions, const float* by_features, int64_t first,
                             int count, float* by_positions);

template <int FEATURES>
D3D_INLINE float dot(Entry<FEATURES> a, Entry<FEATURES> b) {
    Entry<FEATURES> products = a * b;
    if constexpr (FEATURES == 1) {
        return products;
    } else {
        float sum = products[0];
        for (int i = 1; i < FEATURES; i++) sum += products[i];
        return sum;
    }
}

template <int DIMENSIONS, int FEATURES>
void to_positions(const D3dHashGrid& grid, const float* positions, const float* by_features, int64_t first, int count,
                  float* by_positions) {
    constexpr int CORNERS = 1 << DIMENSIONS;
    Positions<DIMENSIONS> points(positions, first, count);
    alignas(64) float sums[DIMENSIONS][POINTS] = {};
    int64_t stride = int64_t(grid.levels) * FEATURES;
    for (int i = 0; i < grid.levels; i++) {
        GridLevel level = level_of(grid, i);
        const float* table = grid.table + int64_t(level.first) * FEATURES;
        const float* gradient = by_features + first * stride + i * FEATURES;
        for (int group = 0; group < count; group += LANES) {
            Cell<Wide, DIMENSIONS> cell = points.locate(level, group, grid.smooth);
            Corners<DIMENSIONS> corners(level, cell);
            alignas(64) float dots[CORNERS][LANES];
            for (int lane = 0; lane < LANES && group + lane < count; lane++) {
                Entry<FEATURES> g = load_entry<FEATURES>(gradient + (group + lane) * stride);
                for (int corner = 0; corner < CORNERS; corner++)
                    dots[corner][lane] = dot<FEATURES>(
                        load_entry<FEATURES>(table + int64_t(corners.entry[corner][lane]) * FEATURES), g);
            }
            Wide by_weight[CORNERS], sum[DIMENSIONS];
            D3D_UNROLL for (int corner = 0; corner < CORNERS; corner++) by_weight[corner] = load(dots[corner]);
            for (int axis = 0; axis < DIMENSIONS; axis++) sum[axis] = load(sums[axis] + group);
            add_position_gradient(cell, by_weight, sum);
            for (int axis = 0; axis < DIMENSIONS; axis++) store(sums[axis] + group, sum[axis]);
        }
    }
    for (int i = 0; i < count; i++)
        for (int axis = 0; axis < DIMENSIONS; axis++) by_positions[(first + i) * DIMENSIONS + axis] = sums[axis][i];
}

}  // namespace

int32_t d3d_hashgrid_encode(const D3dHashGrid* grid, int64_t points, const float* positions, float* features,
                            const D3dLaunch* launch) {
    Encode encode = encoder(*grid);
    int stride = grid->levels * grid->features;
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, 1)
    for (int64_t first = 0; first < points; first += POINTS)
        encode(*grid, positions, first, int(std::min<int64_t>(POINTS, points - first)), features + first * stride,
               stride);
    return D3D_OK;
}

int32_t d3d_hashgrid_gradient(const D3dHashGrid* grid, int64_t points, const float* positions,
                              const float* by_features, float* by_table, float* by_positions,
                              const D3dLaunch* launch) {
    if (by_table) {
        auto scatter = with_sizes(*grid, [](auto d, auto f) -> ScatterSlice { return scatter_slice<d, f>; });
        int slices = (launch->threads + grid->levels - 1) / grid->levels;
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, 1)
        for (int task = 0; task < grid->levels * slices; task++)
            scatter(*grid, Slice(*grid, slices, task), points, positions, by_features, by_table);
    }
    if (by_positions) {
        auto towards = with_sizes(*grid, [](auto d, auto f) -> ToPositions { return to_positions<d, f>; });
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, 1)
        for (int64_t first = 0; first < points; first += POINTS)
            towards(*grid, positions, by_features, first, int(std::min<int64_t>(POINTS, points - first)),
                    by_positions);
    }
    return D3D_OK;
}
