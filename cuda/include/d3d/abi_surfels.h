/* The C interface of surfels. See abi.h for the rules; distill3d/ops/_surfels_kernels.py mirrors this file.
 *
 * The order of calls: d3d_surfels_project, d3d_splat_bin, d3d_surfels_render, d3d_surfels_gradient. Footprints and
 * pairs are those of abi_splat.h: `splats` are ellipses, each around all that can be seen of a surfel, and `seen` is
 * [views, count, D3D_SURFEL_FLOATS]. The histogram has d3d_splat_histogram_bytes.
 */
#pragma once

#include "abi_splat.h"

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

/* Floats of a d3d::Surfel. */
#define D3D_SURFEL_FLOATS 14

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

D3D_EXPORT int32_t d3d_surfels_project(const D3dCameras*, const D3dSurfels*, const D3dFootprints*, void* histogram,
                                       int64_t* needed, const D3dLaunch*);

D3D_EXPORT int64_t d3d_surfels_render_bytes(int32_t channels, const D3dLaunch*);
D3D_EXPORT int32_t d3d_surfels_render(const D3dCameras*, const D3dSurfels*, const D3dFootprints*, const D3dPairs*,
                                      const D3dSurfelImages*, void* workspace, const D3dLaunch*);

/* Of the images, only the state is read. */
D3D_EXPORT int64_t d3d_surfels_gradient_bytes(int32_t channels, int64_t views, int64_t count, int64_t capacity,
                                              const D3dLaunch*);
D3D_EXPORT int32_t d3d_surfels_gradient(const D3dCameras*, const D3dSurfels*, const D3dFootprints*, const D3dPairs*,
                                        const D3dSurfelImages*, const D3dSurfelImageGradients*,
                                        const D3dSurfelGradients*, void* workspace, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
