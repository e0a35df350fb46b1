// A hash grid on the device: one thread's part of reading and of adding to a table.
#pragma once

#include "d3d/abi_hashgrid.h"
#include "d3d/hashgrid.h"
#include "warp.h"

namespace d3d {

using Levels = GridLevel[D3D_GRID_LEVELS];

// The levels into the block's memory, where threads may read different ones at once.
__device__ __forceinline__ void share_levels(const D3dHashGrid& grid, Levels& levels) {
    for (int i = threadIdx.x; i < grid.levels; i += blockDim.x) {
        const D3dGridLevel& l = grid.level[i];
        levels[i] = {l.scale, l.resolution, l.entries, l.hashed, l.first};
    }
    __syncthreads();
}

template <int DIMENSIONS>
__device__ __forceinline__ Cell<float, DIMENSIONS> locate_point(const GridLevel& level, const float* position,
                                                                bool smooth) {
    float x[DIMENSIONS];
    for (int axis = 0; axis < DIMENSIONS; axis++) x[axis] = position[axis];
    return locate(level, x, smooth);
}

// An entry as one load where its size allows.
template <int FEATURES>
struct alignas(FEATURES > 4 ? 16 : FEATURES * 4) DeviceEntry {
    float value[FEATURES];
};

template <int DIMENSIONS, int FEATURES>
__device__ __forceinline__ DeviceEntry<FEATURES> encode_point(const D3dHashGrid& grid, const GridLevel& level,
                                                              const float* position) {
    auto cell = locate_point<DIMENSIONS>(level, position, grid.smooth);
    auto table = reinterpret_cast<const DeviceEntry<FEATURES>*>(grid.table) + level.first;
    DeviceEntry<FEATURES> sum{};
    D3D_UNROLL for (int corner = 0; corner < 1 << DIMENSIONS; corner++) {
        DeviceEntry<FEATURES> entry = table[entry_at(level, cell, corner)];
        float weight = weight_at(cell, corner);
        D3D_UNROLL for (int i = 0; i < FEATURES; i++) sum.value[i] += weight * entry.value[i];
    }
    return sum;
}

// A number as a type, on host and device.
template <int NUMBER>
struct Constant {
    __host__ __device__ constexpr operator int() const { return NUMBER; }
};

// Calls visit(dimensions, features) with constants that a template can take. `visit` may be of the host or of the
// device, which nvcc otherwise warns of.
#if defined(__CUDACC__)
#pragma nv_exec_check_disable
#endif
template <int DIMENSIONS, class Visit>
__host__ __device__ void with_features(int features, Visit visit) {
    switch (features) {
        case 1: return visit(Constant<DIMENSIONS>{}, Constant<1>{});
        case 2: return visit(Constant<DIMENSIONS>{}, Constant<2>{});
        case 4: return visit(Constant<DIMENSIONS>{}, Constant<4>{});
        default: return visit(Constant<DIMENSIONS>{}, Constant<8>{});
    }
}
#if defined(__CUDACC__)
#pragma nv_exec_check_disable
#endif
template <class Visit>
__host__ __device__ void with_grid_sizes(const D3dHashGrid& grid, Visit visit) {
    if (grid.dimensions == 2) return with_features<2>(grid.features, visit);
    with_features<3>(grid.features, visit);
}

}  // namespace d3d
