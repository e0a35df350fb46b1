/* The C interface of Gaussian splatting. See abi.h for the rules; distill3d/ops/_splat_kernels.py mirrors this file. */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct D3dGaussians {
    int64_t count;
    int32_t channels;
    float blur;             /* variance added to each footprint, px² */
    const float* means;     /* [count, 3] */
    const float* wxyz;      /* [count, 4] */
    const float* scales;    /* [count, 3] */
    const float* opacities; /* [count] */
    const float* colours;   /* [count, channels] */
    const float* probe;     /* [views, count, 2] added to the centres in pixels, or null */
} D3dGaussians;

#define D3D_FOOTPRINT_FLOATS 10

typedef struct D3dFootprints {
    float* splats;       /* [views, count, D3D_FOOTPRINT_FLOATS]: d3d::Splat */
    float* radius_px;    /* [views, count] */
    int32_t* first_slot; /* [views * count + 1]: where each footprint's pairs begin, by footprint */
} D3dFootprints;

typedef struct D3dPairs {
    int64_t count;
    int32_t* tile_start; /* [views * tiles + 1]: where each tile's pairs begin, by tile and then front to back */
    int32_t* pairs;      /* [count, 2]: the splat, and the pair's slot by footprint */
} D3dPairs;

typedef struct D3dSplatImages {
    float* colours;       /* [views, height, width, channels] */
    float* alpha;         /* [views, height, width] */
    float* depth;         /* [views, height, width] */
    float* transmittance; /* [views, height, width] */
    float* last;          /* [views, height, width]: place in the tile's list of the last splat seen, or -1 */
} D3dSplatImages;

typedef struct D3dSplatImageGradients {
    const float *colours, *alpha, *depth;
} D3dSplatImageGradients;

typedef struct D3dGaussianGradients {
    float *means, *wxyz, *scales, *opacities, *colours;
    float* probe; /* [views, count, 2] */
} D3dGaussianGradients;

/* Pixels along a tile's edge, for the size of tile_start. */
D3D_EXPORT int32_t d3d_splat_tile_px(void);

/* Project: footprints, and the number of pairs. The histogram stays for d3d_splat_bin. */
D3D_EXPORT int64_t d3d_splat_histogram_bytes(const D3dCameras*, int64_t count, const D3dLaunch*);
D3D_EXPORT int32_t d3d_splat_project(const D3dCameras*, const D3dGaussians*, const D3dFootprints*, void* histogram,
                          int64_t* pairs, const D3dLaunch*);

/* Bin: each tile's splats, front to back. */
D3D_EXPORT int64_t d3d_splat_bin_bytes(int64_t pairs);
D3D_EXPORT int32_t d3d_splat_bin(const D3dCameras*, int64_t count, const D3dFootprints*, void* histogram, const D3dPairs*,
                      void* workspace, const D3dLaunch*);

D3D_EXPORT int64_t d3d_splat_render_bytes(int32_t channels, const D3dLaunch*);
D3D_EXPORT int32_t d3d_splat_render(const D3dCameras*, const D3dGaussians*, const D3dFootprints*, const D3dPairs*,
                         const D3dSplatImages*, void* workspace, const D3dLaunch*);

D3D_EXPORT int64_t d3d_splat_gradient_bytes(int32_t channels, int64_t pairs, const D3dLaunch*);
D3D_EXPORT int32_t d3d_splat_gradient(const D3dCameras*, const D3dGaussians*, const D3dFootprints*, const D3dPairs*,
                           const D3dSplatImages*, const D3dSplatImageGradients*, const D3dGaussianGradients*,
                           void* workspace, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
