// Sampling feature grids, a thread for each point and channel, and the gradients. Channels are side by side, in memory
// as in a warp. For a table's gradient a thread follows a run of points, which are neighbours along a ray, and adds to
// memory only what it has gathered when the run leaves a cell.

#include "d3d/grids.h"

#include "device.h"

using namespace d3d;

namespace {

constexpr int THREADS = 256;
constexpr int RUN = 4;

__global__ void sample_voxels(D3dGrid grid, int64_t points, const float* at, float* results) {
    int64_t thread = thread_of_grid(), point = thread / grid.channels;
    if (point >= points) return;
    int channel = int(thread % grid.channels);
    results[thread] = blend_entries(around_in_voxels(grid, at + 3 * point), grid.table + channel, grid.channels);
}

__global__ void sample_triplane(D3dGrid grid, int64_t points, const float* at, float* results) {
    int64_t thread = thread_of_grid(), point = thread / grid.channels;
    if (point >= points) return;
    int channel = int(thread % grid.channels);
    float sum = 0;
    for (int plane = 0; plane < 3; plane++)
        sum += blend_entries(around_in_plane(grid, plane, at + 3 * point), grid.table + channel, grid.channels);
    results[thread] = sum;
}

__global__ void sample_vm(D3dGrid grid, int64_t points, const float* at, float* results) {
    int64_t thread = thread_of_grid(), point = thread / (3 * grid.channels);
    if (point >= points) return;
    int plane = int(thread / grid.channels % 3), channel = int(thread % grid.channels);
    results[thread] =
        blend_entries(around_in_plane(grid, plane, at + 3 * point), grid.table + channel, grid.channels) *
        blend_entries(around_on_line(grid, plane, at + 3 * point), grid.lines + channel, grid.channels);
}

// Sums for the entries around a cell, added to memory when another cell comes.
template <int AXES>
class Gathered {
public:
    __device__ Gathered(float* table, int channels) : table(table), channels(channels) {}
    __device__ void add(const Around<float, AXES>& around, float by) {
        if (around.at[0] != cell.at[0]) flush();
        cell = around;
        for (int k = 0; k < COUNT; k++) sums[k] += around.share[k] * by;
    }
    __device__ void flush() {
        for (int k = 0; k < COUNT; k++) {
            if (sums[k] != 0) atomicAdd(table + cell.at[k] * channels, sums[k]);
            sums[k] = 0;
        }
    }

private:
    static constexpr int COUNT = Around<float, AXES>::COUNT;
    Around<float, AXES> cell{};
    float sums[COUNT] = {};
    float* table;
    int channels;
};

struct Run {
    int64_t first, end;
    int channel, plane;
};

// The run of points of a thread, channels fastest, then planes.
__device__ Run run_of(int64_t points, int channels, int planes) {
    int64_t thread = thread_of_grid(), first = thread / (channels * planes) * RUN;
    return {first, first + RUN < points ? first + RUN : points, int(thread % channels),
            int(thread / channels % planes)};
}

__global__ void voxels_gradient(D3dGrid grid, int64_t points, const float* at, const float* by, float* by_table) {
    Run run = run_of(points, grid.channels, 1);
    Gathered<3> table(by_table + run.channel, grid.channels);
    for (int64_t i = run.first; i < run.end; i++)
        table.add(around_in_voxels(grid, at + 3 * i), by[i * grid.channels + run.channel]);
    table.flush();
}

__global__ void triplane_gradient(D3dGrid grid, int64_t points, const float* at, const float* by, float* by_table) {
    Run run = run_of(points, grid.channels, 3);
    Gathered<2> plane(by_table + run.channel, grid.channels);
    for (int64_t i = run.first; i < run.end; i++)
        plane.add(around_in_plane(grid, run.plane, at + 3 * i), by[i * grid.channels + run.channel]);
    plane.flush();
}

__global__ void vm_gradient(D3dGrid grid, int64_t points, const float* at, const float* by, float* by_table,
                            float* by_lines) {
    Run run = run_of(points, grid.channels, 3);
    Gathered<2> plane(by_table + run.channel, grid.channels);
    Gathered<1> line(by_lines + run.channel, grid.channels);
    for (int64_t i = run.first; i < run.end; i++) {
        Around<float, 2> in_plane = around_in_plane(grid, run.plane, at + 3 * i);
        Around<float, 1> on_line = around_on_line(grid, run.plane, at + 3 * i);
        float g = by[(3 * i + run.plane) * grid.channels + run.channel];
        if (by_table) plane.add(in_plane, g * blend_entries(on_line, grid.lines + run.channel, grid.channels));
        if (by_lines) line.add(on_line, g * blend_entries(in_plane, grid.table + run.channel, grid.channels));
    }
    plane.flush();
    line.flush();
}

// The derivative by a point, summed over its channels by one thread.
__global__ void voxels_gradient_of_points(D3dGrid grid, int64_t points, const float* at, const float* by, float* by_at) {
    int64_t i = thread_of_grid();
    if (i >= points) return;
    Around<float, 3> a = around_in_voxels(grid, at + 3 * i);
    float sum[3] = {};
    for (int channel = 0; channel < grid.channels; channel++) {
        float g = by[i * grid.channels + channel];
        for (int k = 0; k < 8; k++) {
            float value = g * grid.table[a.at[k] * grid.channels + channel];
            for (int axis = 0; axis < 3; axis++) sum[axis] += value * a.slope[k][axis];
        }
    }
    for (int axis = 0; axis < 3; axis++) by_at[3 * i + axis] = sum[axis];
}

__global__ void planes_gradient_of_points(D3dGrid grid, int64_t points, const float* at, const float* by, float* by_at) {
    int64_t i = thread_of_grid();
    if (i >= points) return;
    const bool product = grid.kind == D3D_VM;
    float sum[3] = {};
    for (int plane = 0; plane < 3; plane++) {
        Around<float, 2> a = around_in_plane(grid, plane, at + 3 * i);
        Around<float, 1> b = around_on_line(grid, plane, at + 3 * i);
        float across = 0, down = 0, along = 0;
        for (int channel = 0; channel < grid.channels; channel++) {
            float g = by[(product ? 3 * i + plane : i) * grid.channels + channel], on_line = 1;
            if (product) {
                const float* line = grid.lines + channel;
                float slope = b.slope[1][0] * (line[b.at[1] * grid.channels] - line[b.at[0] * grid.channels]);
                along += g * slope * blend_entries(a, grid.table + channel, grid.channels);
                on_line = blend_entries(b, line, grid.channels);
            }
            for (int k = 0; k < 4; k++) {
                float value = g * on_line * grid.table[a.at[k] * grid.channels + channel];
                across += a.slope[k][0] * value, down += a.slope[k][1] * value;
            }
        }
        for (int axis = 0; axis < 3; axis++)
            sum[axis] += axis == axis_across(plane) ? across : axis == axis_down(plane) ? down : along;
    }
    for (int axis = 0; axis < 3; axis++) by_at[3 * i + axis] = sum[axis];
}

}  // namespace

int32_t d3d_grid_sample(const D3dGrid* grid, int64_t points, const float* at, float* results,
                        const D3dLaunch* launch) {
    Stream stream(*launch);
    const int64_t wide = points * grid->channels;
    if (grid->kind == D3D_VOXELS)
        stream.run(sample_voxels, Grid::over(wide, THREADS), *grid, points, at, results);
    else if (grid->kind == D3D_TRIPLANE)
        stream.run(sample_triplane, Grid::over(wide, THREADS), *grid, points, at, results);
    else
        stream.run(sample_vm, Grid::over(3 * wide, THREADS), *grid, points, at, results);
    return stream.status();
}

int64_t d3d_grid_gradient_bytes(const D3dGrid*, int64_t) { return 0; }

int32_t d3d_grid_gradient(const D3dGrid* grid, int64_t points, const float* at, const float* by_results,
                          float* by_table, float* by_lines, float* by_at, void*, const D3dLaunch* launch) {
    Stream stream(*launch);
    const bool planes = grid->kind != D3D_VOXELS;
    const int64_t size = grid->size[0], channels = grid->channels;
    const int64_t entries = planes ? 3 * size * size : size * grid->size[1] * grid->size[2];
    if (by_table) stream.zero(by_table, entries * channels * int64_t(sizeof(float)));
    if (by_lines) stream.zero(by_lines, 3 * size * channels * int64_t(sizeof(float)));
    if (points == 0) return stream.status();

    const int64_t runs = (points + RUN - 1) / RUN * channels;
    if (grid->kind == D3D_VM && (by_table || by_lines))
        stream.run(vm_gradient, Grid::over(3 * runs, THREADS), *grid, points, at, by_results, by_table, by_lines);
    else if (grid->kind == D3D_TRIPLANE && by_table)
        stream.run(triplane_gradient, Grid::over(3 * runs, THREADS), *grid, points, at, by_results, by_table);
    else if (by_table)
        stream.run(voxels_gradient, Grid::over(runs, THREADS), *grid, points, at, by_results, by_table);
    if (by_at)
        stream.run(planes ? planes_gradient_of_points : voxels_gradient_of_points, Grid::over(points, THREADS), *grid,
                   points, at, by_results, by_at);
    return stream.status();
}
