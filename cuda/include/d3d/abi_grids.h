/* The C interface of sampling feature grids. See abi.h for the rules; distill3d/ops/_grids_kernels.py mirrors this file.
 *
 * Points are in [-1, 1]^3, and those outside are moved to the border. Grid points stand on the border too, so that an
 * axis of `size` of them has size - 1 cells. Features are stored last.
 */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum D3dGridKind {
    D3D_VOXELS = 0,   /* table [z, y, x, channels]; the result has `channels` */
    D3D_TRIPLANE = 1, /* tables [3, size, size, channels]; the sum of all three */
    D3D_VM = 2        /* tables as before, and lines [3, size, channels]; [3, channels] products of plane and line */
} D3dGridKind;

typedef struct D3dGrid {
    int32_t kind, channels;
    int32_t size[3];    /* along x, y, z; equal for planes */
    const float* table;
    const float* lines; /* or null */
} D3dGrid;

D3D_EXPORT int32_t d3d_grid_sample(const D3dGrid*, int64_t points, const float* at, float* results, const D3dLaunch*);

/* Any of the results may be null. by_table and by_lines are overwritten. */
D3D_EXPORT int64_t d3d_grid_gradient_bytes(const D3dGrid*, int64_t points);
D3D_EXPORT int32_t d3d_grid_gradient(const D3dGrid*, int64_t points, const float* at, const float* by_results,
                                     float* by_table, float* by_lines, float* by_at, void* workspace,
                                     const D3dLaunch*);

#ifdef __cplusplus
}
#endif
