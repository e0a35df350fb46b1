/* The C interface of surfels. See abi.h for the rules; distill3d/ops/_surfels_kernels.py mirrors this file.
 *
 * The order of calls: project, bin, render, gradient.
 */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct D3dSurfels {
    int64_t count;
    int32_t channels;
    int64_t view_stride;    /* floats from one view's colours to the next's; 0 where views share them */
    const float* means;     /* [count, 3] */
    const float* wxyz;      /* [count, 4] */
    const float* scales;    /* [count, 2] */
    const float* opacities; /* [count] */
    const float* colours;   /* [count, channels] or [views, count, channels] */
    const float* probe;     /* [views, count, 2] added to the centres in pixels, or null */
} D3dSurfels;

#define D3D_SURFEL_FLOATS 21

typedef struct D3dSurfelFootprints {
    float* surfels;      /* [views, count, D3D_SURFEL_FLOATS]: d3d::Surfel and d3d::Bound */
    float* radius_px;    /* [views, count] */
    int32_t* first_slot; /* [views * count + 1]: where each footprint's pairs begin, by footprint */
} D3dSurfelFootprints;

typedef struct D3dSurfelPairs {
    int64_t capacity;    /* pairs that there is room for */
    int64_t* needed;     /* [1], where arrays lie: pairs that there are. More than capacity: no tile has a surfel */
    int32_t* tile_start; /* [views * tiles + 1]: where each tile's pairs begin, by tile and then front to back */
    int32_t* pairs;      /* [capacity, 2]: the surfel, and the pair's slot by footprint */
} D3dSurfelPairs;

typedef struct D3dSurfelImages {
    float* colours;       /* [views, height, width, channels] */
    float* alpha;         /* [views, height, width], and so are the others but the normal */
    float* depth;
    float* median;
    float* normal;        /* [views, height, width, 3] */
    float* distortion;
    float* state;         /* [views, D3D_SURFEL_STATES, height, width]: kept for the gradient */
} D3dSurfelImages;

/* Transmittance; places in the tile's list of the last surfel seen and of the median's, or -1; Σ w m and Σ w m². */
#define D3D_SURFEL_STATES 5

/* Like the images; null where a gradient is zero. */
typedef struct D3dSurfelImageGradients {
    const float *colours, *alpha, *depth, *median, *normal, *distortion;
} D3dSurfelImageGradients;

/* Like the inputs. */
typedef struct D3dSurfelGradients {
    float *means, *wxyz, *scales, *opacities, *colours;
    float* probe; /* [views, count, 2] */
} D3dSurfelGradients;

/* Pixels along a tile's edge, for the size of tile_start. */
D3D_EXPORT int32_t d3d_surfels_tile_px(void);

/* Project: footprints, and the number of pairs. The histogram stays for d3d_surfels_bin. */
D3D_EXPORT int64_t d3d_surfels_histogram_bytes(const D3dCameras*, int64_t count, const D3dLaunch*);
D3D_EXPORT int32_t d3d_surfels_project(const D3dCameras*, const D3dSurfels*, const D3dSurfelFootprints*, void* histogram,
                                       int64_t* needed, const D3dLaunch*);

/* Bin: each tile's surfels, front to back. */
D3D_EXPORT int64_t d3d_surfels_bin_bytes(const D3dCameras*, int64_t count, int64_t capacity, const D3dLaunch*);
D3D_EXPORT int32_t d3d_surfels_bin(const D3dCameras*, int64_t count, const D3dSurfelFootprints*, void* histogram,
                                   const D3dSurfelPairs*, void* workspace, const D3dLaunch*);

D3D_EXPORT int64_t d3d_surfels_render_bytes(int32_t channels, const D3dLaunch*);
D3D_EXPORT int32_t d3d_surfels_render(const D3dCameras*, const D3dSurfels*, const D3dSurfelFootprints*,
                                      const D3dSurfelPairs*, const D3dSurfelImages*, void* workspace,
                                      const D3dLaunch*);

D3D_EXPORT int64_t d3d_surfels_gradient_bytes(int32_t channels, int64_t views, int64_t count, int64_t capacity,
                                              const D3dLaunch*);
D3D_EXPORT int32_t d3d_surfels_gradient(const D3dCameras*, const D3dSurfels*, const D3dSurfelFootprints*,
                                        const D3dSurfelPairs*, const D3dSurfelImages*, const D3dSurfelImageGradients*,
                                        const D3dSurfelGradients*, void* workspace, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
