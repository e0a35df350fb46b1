/* The C interface of Gaussian splatting. See abi.h for the rules; distill3d/ops/_splat_kernels.py mirrors this file.
 *
 * The order of calls: project, bin; then any of render (and after it gradient), weigh and contributors.
 * Sums over pixels run over all pixels that a splat is drawn on; w is its weight there.
 */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct D3dGaussians {
    int64_t count;
    float blur;             /* variance added to each footprint, px² */
    int32_t antialiased;    /* 1: a blurred footprint keeps its total, by opacity * sqrt(det / blurred det); or 0 */
    const float* means;     /* [count, 3] */
    const float* wxyz;      /* [count, 4] */
    const float* scales;    /* [count, 3] */
    const float* opacities; /* [count] */
    const float* probe;     /* [views, count, 2] added to the centres in pixels, or null */
} D3dGaussians;

/* What is drawn of each splat, beside its depth. `sh` and `colours` may be null where there are none of them. */
typedef struct D3dSplatValues {
    int32_t harmonics;    /* of each colour in sh: 0 (none are drawn), 1, 4, 9 or 16 */
    int32_t normals;      /* 1: the shortest axis, facing the camera, is drawn; or 0 */
    int32_t channels;     /* of colours; any number */
    int64_t view_stride;  /* floats from one view's colours to the next's; 0 where views share them */
    const float* sh;      /* [count, harmonics, 3] */
    const float* colours; /* [count, channels] or [views, count, channels] */
} D3dSplatValues;

#define D3D_FOOTPRINT_FLOATS 10

typedef struct D3dFootprints {
    float* splats;       /* [views, count, D3D_FOOTPRINT_FLOATS]: d3d::Splat; its opacity is the compensated one */
    float* seen;         /* [views, count, d3d_splat_seen_floats]: depth, then radiance (3), then normal (3) */
    float* radius_px;    /* [views, count]; 0 where a splat is not drawn, and then its splat and seen are not set */
    int32_t* first_slot; /* [views * count + 1]: where each footprint's pairs begin, by footprint */
} D3dFootprints;

typedef struct D3dPairs {
    int64_t capacity;    /* pairs that there is room for */
    int64_t* needed;     /* [1], where arrays lie: pairs that there are. If they are more than capacity, a CPU library
                          * returns D3D_TOO_MANY_PAIRS; a CUDA library, which cannot know, draws nothing */
    int32_t* tile_start; /* [views * tiles + 1]: where each tile's pairs begin, by tile and then front to back */
    int32_t* pairs;      /* [capacity, 2]: the splat, and the pair's slot by footprint */
} D3dPairs;

typedef struct D3dSplatImages {
    float* colours;       /* [views, height, width, channels] */
    float* radiance;      /* [views, height, width, 3], or null without harmonics */
    float* normal;        /* [views, height, width, 3], or null without normals */
    float* alpha;         /* [views, height, width] */
    float* depth;         /* [views, height, width] */
    float* transmittance; /* [views, height, width] */
    float* last;          /* [views, height, width]: place in the tile's list of the last splat seen, or -1 */
} D3dSplatImages;

/* Like the images; null where a gradient is zero. */
typedef struct D3dSplatImageGradients {
    const float *colours, *radiance, *normal, *alpha, *depth;
} D3dSplatImageGradients;

/* Like the inputs; sh, colours, probe and absolute may be null where they are not asked for. */
typedef struct D3dGaussianGradients {
    float *means, *wxyz, *scales, *opacities, *sh, *colours;
    float* probe;    /* [views, count, 2]: the sum over pixels of the derivative by the centre */
    float* absolute; /* [views, count, 2]: the sum over pixels of that derivative's absolute value */
} D3dGaussianGradients;

typedef struct D3dSplatWeights {
    float* sums;     /* [count, channels]: Σ w map, over all views */
    float* weight;   /* [views, count]: Σ w */
    float* peak;     /* [views, count]: the greatest w */
    int32_t* pixels; /* [views, count]: how many pixels have w > 0 */
} D3dSplatWeights;

/* Pixels along a tile's edge, for the size of tile_start. */
D3D_EXPORT int32_t d3d_splat_tile_px(void);

/* Floats of each row of `seen`: 1, and 3 more each for radiance and normals. */
D3D_EXPORT int32_t d3d_splat_seen_floats(const D3dSplatValues*);

/* Project: footprints, and the number of pairs. The histogram stays for d3d_splat_bin. */
D3D_EXPORT int64_t d3d_splat_histogram_bytes(const D3dCameras*, int64_t count, const D3dLaunch*);
D3D_EXPORT int32_t d3d_splat_project(const D3dCameras*, const D3dGaussians*, const D3dSplatValues*,
                                     const D3dFootprints*, void* histogram, int64_t* needed, const D3dLaunch*);

/* Bin: each tile's splats, front to back. */
D3D_EXPORT int64_t d3d_splat_bin_bytes(const D3dCameras*, int64_t count, int64_t capacity, const D3dLaunch*);
D3D_EXPORT int32_t d3d_splat_bin(const D3dCameras*, int64_t count, const D3dFootprints*, void* histogram,
                                 const D3dPairs*, void* workspace, const D3dLaunch*);

D3D_EXPORT int64_t d3d_splat_render_bytes(const D3dSplatValues*, const D3dLaunch*);
D3D_EXPORT int32_t d3d_splat_render(const D3dCameras*, int64_t count, const D3dSplatValues*, const D3dFootprints*,
                                    const D3dPairs*, const D3dSplatImages*, void* workspace, const D3dLaunch*);

/* The images' transmittance and last are those that render wrote; their other members are not read. */
D3D_EXPORT int64_t d3d_splat_gradient_bytes(const D3dSplatValues*, int64_t views, int64_t count, int64_t capacity,
                                            const D3dLaunch*);
D3D_EXPORT int32_t d3d_splat_gradient(const D3dCameras*, const D3dGaussians*, const D3dSplatValues*,
                                      const D3dFootprints*, const D3dPairs*, const D3dSplatImages*,
                                      const D3dSplatImageGradients*, const D3dGaussianGradients*, void* workspace,
                                      const D3dLaunch*);

/* Weigh: the adjoint of drawing colours, maps [views, height, width, channels] to splats; channels may be 0. */
D3D_EXPORT int64_t d3d_splat_weigh_bytes(int32_t channels, int64_t capacity, const D3dLaunch*);
D3D_EXPORT int32_t d3d_splat_weigh(const D3dCameras*, int64_t count, const D3dFootprints*, const D3dPairs*,
                                   int32_t channels, const float* maps, const D3dSplatWeights*, void* workspace,
                                   const D3dLaunch*);

/* The `most` splats with the greatest weights at each pixel, greatest first and nearer first where they are equal:
 * ids and weights [views, height, width, most]; -1 and 0 where there are fewer. */
D3D_EXPORT int32_t d3d_splat_contributors(const D3dCameras*, int64_t count, const D3dFootprints*, const D3dPairs*,
                                          int32_t most, int32_t* ids, float* weights, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
