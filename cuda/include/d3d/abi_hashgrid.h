/* The C interface of the multiresolution hash grid. See abi.h for the rules; distill3d/ops/_hashgrid_kernels.py
 * mirrors this file. */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define D3D_GRID_LEVELS 32

typedef struct D3dGridLevel {
    float scale;
    uint32_t resolution, entries, hashed, first; /* d3d::GridLevel */
} D3dGridLevel;

typedef struct D3dHashGrid {
    int32_t dimensions; /* 2 or 3 */
    int32_t features;   /* of an entry: 1, 2, 4 or 8 */
    int32_t levels;     /* at most D3D_GRID_LEVELS */
    int32_t smooth;     /* whether interpolation is by smoothstep */
    D3dGridLevel level[D3D_GRID_LEVELS];
    const float* table; /* [entries of all levels, features] */
} D3dHashGrid;

/* features: [points, levels * features] at positions [points, dimensions] */
D3D_EXPORT int32_t d3d_hashgrid_encode(const D3dHashGrid*, int64_t points, const float* positions, float* features,
                                       const D3dLaunch*);

/* by_table: as table, overwritten, or null; by_positions: as positions, or null. */
D3D_EXPORT int32_t d3d_hashgrid_gradient(const D3dHashGrid*, int64_t points, const float* positions,
                                         const float* by_features, float* by_table, float* by_positions,
                                         const D3dLaunch*);

#ifdef __cplusplus
}
#endif
