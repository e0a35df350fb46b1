// The hash grid on the device. Forward, a thread has a point and a level, levels side by side, so that rows of
// features are written whole. Towards the table, a warp has 32 points and one level: neighbours in the same cell, as
// samples of one ray are where the grid is coarse, are added up before they reach the table.

#include "hashgrid_warp.h"

using namespace d3d;

namespace {

constexpr unsigned THREADS = 256;

template <int DIMENSIONS, int FEATURES>
__global__ void encode(D3dHashGrid grid, int64_t points, const float* positions, float* features) {
    SHARED(Levels, levels);
    share_levels(grid, levels);
    int64_t i = thread_of_grid();
    if (i >= points * grid.levels) return;
    auto entry = encode_point<DIMENSIONS, FEATURES>(grid, levels[i % grid.levels],
                                                    positions + i / grid.levels * DIMENSIONS);
    reinterpret_cast<DeviceEntry<FEATURES>*>(features)[i] = entry;
}

// The lanes of a warp in runs of neighbours in the same cell.
struct Runs {
    bool head;
    int last;     // lane of this lane's run
    int count;    // of runs in the warp

    // `same` says whether this lane's cell is that of the lane below.
    __device__ explicit Runs(bool same) {
        head = lane_of_warp() == 0 || !same;
        unsigned heads = __ballot_sync(ALL_LANES, head);
        unsigned above = lane_of_warp() == WARP - 1 ? 0 : heads >> (lane_of_warp() + 1) << (lane_of_warp() + 1);
        last = above ? __ffs(int(above)) - 2 : WARP - 1;
        count = __popc(heads);
    }
    // In a run's first lane, the sum over the run.
    __device__ float sum(float value) const {
        for (int by = 1; by < WARP; by *= 2) {
            float higher = __shfl_down_sync(ALL_LANES, value, by);
            if (lane_of_warp() + by <= last) value += higher;
        }
        return value;
    }
};

template <int DIMENSIONS>
__device__ bool in_the_cell_below(const Cell<float, DIMENSIONS>& cell) {
    bool same = true;
    for (int axis = 0; axis < DIMENSIONS; axis++)
        same &= cell.place[axis][0] == __shfl_up_sync(ALL_LANES, cell.place[axis][0], 1);
    return same;
}

template <int FEATURES>
__device__ __forceinline__ void add_entry(DeviceEntry<FEATURES>* at, const DeviceEntry<FEATURES>& by) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900  // which adds vectors at once
    if constexpr (FEATURES == 1) {
        atomicAdd(at->value, by.value[0]);
    } else if constexpr (FEATURES == 2) {
        atomicAdd(reinterpret_cast<float2*>(at), make_float2(by.value[0], by.value[1]));
    } else {
        for (int i = 0; i < FEATURES; i += 4)
            atomicAdd(reinterpret_cast<float4*>(at->value + i),
                      make_float4(by.value[i], by.value[i + 1], by.value[i + 2], by.value[i + 3]));
    }
#else
    for (int i = 0; i < FEATURES; i++) atomicAdd(at->value + i, by.value[i]);
#endif
}

template <int DIMENSIONS, int FEATURES>
__global__ void scatter(D3dHashGrid grid, int64_t points, const float* positions, const float* by_features,
                        float* by_table) {
    const D3dGridLevel& l = grid.level[blockIdx.y];
    GridLevel level{l.scale, l.resolution, l.entries, l.hashed, l.first};
    int64_t point = thread_of_grid();
    bool here = point < points;
    int64_t read = here ? point : points - 1;  // lanes beyond the last point add nothing
    auto cell = locate_point<DIMENSIONS>(level, positions + read * DIMENSIONS, grid.smooth);
    auto g = reinterpret_cast<const DeviceEntry<FEATURES>*>(by_features)[read * grid.levels + blockIdx.y];
    if (!here) g = {};
    auto table = reinterpret_cast<DeviceEntry<FEATURES>*>(by_table) + level.first;
    Runs runs(in_the_cell_below(cell));
    bool merge = runs.count <= WARP / 2;
    for (int corner = 0; corner < 1 << DIMENSIONS; corner++) {
        float weight = weight_at(cell, corner);
        DeviceEntry<FEATURES> by;
        for (int i = 0; i < FEATURES; i++) {
            by.value[i] = weight * g.value[i];
            if (merge) by.value[i] = runs.sum(by.value[i]);
        }
        if (merge ? runs.head : here) add_entry(table + entry_at(level, cell, corner), by);
    }
}

template <int DIMENSIONS, int FEATURES>
__global__ void to_positions(D3dHashGrid grid, int64_t points, const float* positions, const float* by_features,
                             float* by_positions) {
    int64_t point = thread_of_grid();
    if (point >= points) return;
    auto gradients = reinterpret_cast<const DeviceEntry<FEATURES>*>(by_features) + point * grid.levels;
    float sum[DIMENSIONS] = {};
    for (int i = 0; i < grid.levels; i++) {  // the same level in every lane
        const D3dGridLevel& l = grid.level[i];
        GridLevel level{l.scale, l.resolution, l.entries, l.hashed, l.first};
        auto cell = locate_point<DIMENSIONS>(level, positions + point * DIMENSIONS, grid.smooth);
        auto table = reinterpret_cast<const DeviceEntry<FEATURES>*>(grid.table) + level.first;
        DeviceEntry<FEATURES> g = gradients[i];
        float by_weight[1 << DIMENSIONS] = {};
        D3D_UNROLL for (int corner = 0; corner < 1 << DIMENSIONS; corner++) {
            DeviceEntry<FEATURES> entry = table[entry_at(level, cell, corner)];
            for (int k = 0; k < FEATURES; k++) by_weight[corner] += entry.value[k] * g.value[k];
        }
        add_position_gradient(cell, by_weight, sum);
    }
    for (int axis = 0; axis < DIMENSIONS; axis++) by_positions[point * DIMENSIONS + axis] = sum[axis];
}

}  // namespace

int32_t d3d_hashgrid_encode(const D3dHashGrid* grid, int64_t points, const float* positions, float* features,
                            const D3dLaunch* launch) {
    Stream stream(*launch);
    with_grid_sizes(*grid, [&](auto d, auto f) {
        stream.run(encode<d, f>, Grid::over(points * grid->levels, THREADS), *grid, points, positions, features);
    });
    return stream.status();
}

int32_t d3d_hashgrid_gradient(const D3dHashGrid* grid, int64_t points, const float* positions,
                              const float* by_features, float* by_table, float* by_positions,
                              const D3dLaunch* launch) {
    Stream stream(*launch);
    const D3dGridLevel& last = grid->level[grid->levels - 1];
    if (by_table)
        stream.zero(by_table, (int64_t(last.first) + last.entries) * grid->features * int64_t(sizeof(float)));
    with_grid_sizes(*grid, [&](auto d, auto f) {
        Grid over_points = Grid::over(points, THREADS);
        Grid over_levels({over_points.blocks.x, unsigned(grid->levels)}, THREADS);
        if (by_table) stream.run(scatter<d, f>, over_levels, *grid, points, positions, by_features, by_table);
        if (by_positions)
            stream.run(to_positions<d, f>, over_points, *grid, points, positions, by_features, by_positions);
    });
    return stream.status();
}
