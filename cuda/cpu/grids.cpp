// Sampling feature grids, a point at a time and its channels side by side, and the gradients.
//
// For a table's gradient the points are sorted by their cell along the table's last axis (z of voxels, down a plane,
// along a line). A slab of cells touches the entries on both of its sides, so all even slabs can go at once and then
// all odd ones: nothing is shared, and every entry receives its parts in the order of the points.

#include "d3d/grids.h"

#include <algorithm>
#include <type_traits>

using namespace d3d;

namespace {

// Calls work(std::integral_constant of the number of channels), 0 for a number that has no copy of its own.
template <class Work>
void for_channels(int channels, Work work) {
    switch (channels) {
        case 1: return work(std::integral_constant<int, 1>());
        case 3: return work(std::integral_constant<int, 3>());
        case 4: return work(std::integral_constant<int, 4>());
        case 8: return work(std::integral_constant<int, 8>());
        case 16: return work(std::integral_constant<int, 16>());
        default: return work(std::integral_constant<int, 0>());
    }
}

template <int CHANNELS, int AXES>
void add_scaled(const Around<float, AXES>& around, const float* by, float scale, int any, float* table) {
    const int channels = CHANNELS ? CHANNELS : any;
    for (int k = 0; k < around.COUNT; k++) {
        float share = around.share[k] * scale;
        float* entry = table + around.at[k] * channels;
#pragma omp simd
        for (int channel = 0; channel < channels; channel++) entry[channel] += share * by[channel];
    }
}

template <int CHANNELS>
struct Grid {
    const D3dGrid& grid;

    void sample(const float* at, float* out) const {
        const int channels = CHANNELS ? CHANNELS : grid.channels;
        if (grid.kind == D3D_VOXELS) {
            Around<float, 3> a = around_in_voxels(grid, at);
            for (int c = 0; c < channels; c++) out[c] = blend_entries(a, grid.table + c, channels);
            return;
        }
        if (grid.kind == D3D_TRIPLANE) std::fill_n(out, channels, 0.f);
        for (int plane = 0; plane < 3; plane++) {
            Around<float, 2> a = around_in_plane(grid, plane, at);
            if (grid.kind == D3D_TRIPLANE) {
                for (int c = 0; c < channels; c++) out[c] += blend_entries(a, grid.table + c, channels);
            } else {
                Around<float, 1> b = around_on_line(grid, plane, at);
                for (int c = 0; c < channels; c++)
                    out[plane * channels + c] =
                        blend_entries(a, grid.table + c, channels) * blend_entries(b, grid.lines + c, channels);
            }
        }
    }

    // The derivative of the loss by the point.
    void gradient_of_point(const float* at, const float* by, float* by_at) const {
        const int channels = CHANNELS ? CHANNELS : grid.channels;
        by_at[0] = by_at[1] = by_at[2] = 0;
        if (grid.kind == D3D_VOXELS) {
            Around<float, 3> a = around_in_voxels(grid, at);
            for (int k = 0; k < a.COUNT; k++) {
                float shade = 0;
#pragma omp simd reduction(+ : shade)
                for (int c = 0; c < channels; c++) shade += grid.table[a.at[k] * channels + c] * by[c];
                for (int axis = 0; axis < 3; axis++) by_at[axis] += shade * a.slope[k][axis];
            }
            return;
        }
        for (int plane = 0; plane < 3; plane++) {
            Around<float, 2> a = around_in_plane(grid, plane, at);
            float across = 0, down = 0, along = 0;
            if (grid.kind == D3D_TRIPLANE) {
                for (int k = 0; k < a.COUNT; k++) {
                    float shade = 0;
#pragma omp simd reduction(+ : shade)
                    for (int c = 0; c < channels; c++) shade += grid.table[a.at[k] * channels + c] * by[c];
                    across += a.slope[k][0] * shade, down += a.slope[k][1] * shade;
                }
            } else {
                Around<float, 1> b = around_on_line(grid, plane, at);
                const float* g = by + plane * channels;
                float shades[4] = {};
#pragma omp simd reduction(+ : shades[ : 4], along)
                for (int c = 0; c < channels; c++) {
                    float on_line = g[c] * blend_entries(b, grid.lines + c, channels), on_plane = 0;
                    for (int k = 0; k < 4; k++) {
                        float entry = grid.table[a.at[k] * channels + c];
                        shades[k] += on_line * entry, on_plane += a.share[k] * entry;
                    }
                    along += g[c] * on_plane *
                             (grid.lines[b.at[1] * channels + c] - grid.lines[b.at[0] * channels + c]);
                }
                for (int k = 0; k < 4; k++) across += a.slope[k][0] * shades[k], down += a.slope[k][1] * shades[k];
                along *= b.slope[1][0];
            }
            by_at[axis_across(plane)] += across, by_at[axis_down(plane)] += down, by_at[axis_along(plane)] += along;
        }
    }

    // Adds the point's part to the gradient of table `index`: voxels, the three planes, then the three lines.
    void scatter(int index, const float* at, const float* by, float* by_table, float* by_lines) const {
        const int channels = CHANNELS ? CHANNELS : grid.channels;
        if (grid.kind == D3D_VOXELS) return add_scaled<CHANNELS>(around_in_voxels(grid, at), by, 1, channels, by_table);
        if (grid.kind == D3D_TRIPLANE)
            return add_scaled<CHANNELS>(around_in_plane(grid, index, at), by, 1, channels, by_table);
        int plane = index % 3;
        Around<float, 2> a = around_in_plane(grid, plane, at);
        Around<float, 1> b = around_on_line(grid, plane, at);
        const float* g = by + plane * channels;
        if (index < 3) {
#pragma omp simd
            for (int c = 0; c < channels; c++) {
                float by_plane = g[c] * blend_entries(b, grid.lines + c, channels);
                for (int k = 0; k < 4; k++) by_table[a.at[k] * channels + c] += a.share[k] * by_plane;
            }
        } else {
#pragma omp simd
            for (int c = 0; c < channels; c++) {
                float by_line = g[c] * blend_entries(a, grid.table + c, channels);
                for (int k = 0; k < 2; k++) by_lines[b.at[k] * channels + c] += b.share[k] * by_line;
            }
        }
    }
};

int tables_of(const D3dGrid& grid) { return grid.kind == D3D_VOXELS ? 1 : grid.kind == D3D_TRIPLANE ? 3 : 6; }

// The axis by whose cells the points are sorted, and how many slabs there are.
int axis_of(const D3dGrid& grid, int table) {
    return grid.kind == D3D_VOXELS ? 2 : table < 3 ? axis_down(table) : axis_along(table - 3);
}
int size_of(const D3dGrid& grid) { return grid.size[grid.kind == D3D_VOXELS ? 2 : 0]; }
int slabs_of(const D3dGrid& grid) { return size_of(grid) - 1; }

// The points by slab, and in their own order within each.
void sort(const D3dGrid& grid, int table, int64_t points, const float* at, int32_t* starts, int32_t* order) {
    const int axis = axis_of(grid, table), size = size_of(grid);
    std::fill_n(starts, slabs_of(grid) + 2, 0);
    for (int64_t i = 0; i < points; i++) starts[between(at[3 * i + axis], size).at + 2]++;
    for (int slab = 2; slab <= slabs_of(grid) + 1; slab++) starts[slab] += starts[slab - 1];
    for (int64_t i = 0; i < points; i++) order[starts[between(at[3 * i + axis], size).at + 1]++] = int32_t(i);
}

}  // namespace

int32_t d3d_grid_sample(const D3dGrid* grid, int64_t points, const float* at, float* results,
                        const D3dLaunch* launch) {
    const int64_t width = int64_t(grid->channels) * (grid->kind == D3D_VM ? 3 : 1);
    for_channels(grid->channels, [&](auto channels) {
        const Grid<channels> sampler{*grid};
#pragma omp parallel for num_threads(launch->threads) schedule(static)
        for (int64_t i = 0; i < points; i++) sampler.sample(at + 3 * i, results + i * width);
    });
    return D3D_OK;
}

int64_t d3d_grid_gradient_bytes(const D3dGrid* grid, int64_t points) {
    return tables_of(*grid) * (points + slabs_of(*grid) + 2) * int64_t(sizeof(int32_t));
}

int32_t d3d_grid_gradient(const D3dGrid* grid, int64_t points, const float* at, const float* by_results,
                          float* by_table, float* by_lines, float* by_at, void* workspace, const D3dLaunch* launch) {
    const bool vm = grid->kind == D3D_VM, planes = grid->kind != D3D_VOXELS;
    const int64_t width = int64_t(grid->channels) * (vm ? 3 : 1), size = grid->size[0];
    const int64_t entries = planes ? 3 * size * size : size * grid->size[1] * grid->size[2];
    const int tables = tables_of(*grid), slabs = slabs_of(*grid);
    int32_t* starts = static_cast<int32_t*>(workspace);
    int32_t* orders = starts + tables * (slabs + 2);
    if (by_table) std::fill_n(by_table, entries * grid->channels, 0.f);
    if (by_lines) std::fill_n(by_lines, 3 * size * grid->channels, 0.f);
    for_channels(grid->channels, [&](auto channels) {
        const Grid<channels> sampler{*grid};
        const int first = by_table ? 0 : 3, end = by_lines || !vm ? tables : 3;
#pragma omp parallel num_threads(launch->threads)
        {
            if (by_at) {
#pragma omp for schedule(static) nowait
                for (int64_t i = 0; i < points; i++)
                    sampler.gradient_of_point(at + 3 * i, by_results + i * width, by_at + 3 * i);
            }
#pragma omp for schedule(dynamic, 1)
            for (int table = first; table < end; table++)
                sort(*grid, table, points, at, starts + table * (slabs + 2), orders + table * points);
            for (int odd = 0; odd < 2; odd++) {
#pragma omp for schedule(dynamic, 1) collapse(2)
                for (int table = first; table < end; table++) {
                    for (int slab = 0; slab < (slabs + 1) / 2; slab++) {
                        int here = 2 * slab + odd;
                        if (here >= slabs) continue;
                        const int32_t *start = starts + table * (slabs + 2), *order = orders + table * points;
                        for (int32_t i = start[here]; i < start[here + 1]; i++)
                            sampler.scatter(table, at + 3 * int64_t(order[i]), by_results + order[i] * width, by_table,
                                            by_lines);
                    }
                }
            }
        }
    });
    return D3D_OK;
}
