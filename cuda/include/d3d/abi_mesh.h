/* The C interface of mesh rendering: rasterize, interpolate, antialias. See abi.h for the rules;
 * distill3d/ops/_mesh_kernels.py, _interpolate_kernels.py and _antialias_kernels.py mirror this file.
 */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct D3dMesh {
    int64_t vertex_count, face_count;
    const float* vertices; /* [vertex_count, 3] */
    const int32_t* faces;  /* [face_count, 3] */
} D3dMesh;

typedef struct D3dFragments {
    int32_t* triangle;  /* [views, height, width] */
    float* barycentric; /* [views, height, width, 3] */
    float* depth;       /* [views, height, width] */
    float* derivatives; /* [views, height, width, 3, 2]: barycentrics by the pixel's x and y; or null */
} D3dFragments;

typedef struct D3dFragmentGradients {
    const float *barycentric, *depth; /* either may be null: zero */
} D3dFragmentGradients;

/* Set up: every triangle in every view, and the number of pairs with tiles. */
D3D_EXPORT int64_t d3d_mesh_setup_bytes(const D3dCameras*, const D3dMesh*, const D3dLaunch*);
D3D_EXPORT int32_t d3d_mesh_setup(const D3dCameras*, const D3dMesh*, void* setup, int64_t* pairs, const D3dLaunch*);
D3D_EXPORT int64_t d3d_mesh_rasterize_bytes(const D3dCameras*, int64_t pairs);
D3D_EXPORT int32_t d3d_mesh_rasterize(const D3dCameras*, const D3dMesh*, void* setup, int64_t pairs,
                                      const D3dFragments*, void* workspace, const D3dLaunch*);

/* From gradients of barycentric and depth to those of vertices [vertex_count, 3]. */
D3D_EXPORT int64_t d3d_mesh_gradient_bytes(const D3dCameras*, const D3dMesh*, const D3dLaunch*);
D3D_EXPORT int32_t d3d_mesh_gradient(const D3dCameras*, const D3dMesh*, const D3dFragments*,
                                     const D3dFragmentGradients*, float* vertices, void* workspace, const D3dLaunch*);

typedef struct D3dAttributes {
    int64_t count, face_count;
    int32_t channels;
    const float* values;    /* [count, channels] */
    const int32_t* indices; /* [face_count, 3]: the rows of values at each face's corners */
} D3dAttributes;

typedef struct D3dSpots {
    int64_t count;            /* pixels of all views */
    const int32_t* triangle;  /* [count] */
    const float* barycentric; /* [count, 3] */
} D3dSpots;

/* Values [count, channels] of attributes at spots, 0 where nothing is seen; and back. */
D3D_EXPORT int32_t d3d_interpolate(const D3dAttributes*, const D3dSpots*, float* out, const D3dLaunch*);
D3D_EXPORT int64_t d3d_interpolate_gradient_bytes(const D3dAttributes*, const D3dSpots*, const D3dLaunch*);
D3D_EXPORT int32_t d3d_interpolate_gradient(const D3dAttributes*, const D3dSpots*, const float* by_out,
                                            float* by_values, float* by_barycentric, void* workspace,
                                            const D3dLaunch*);

/* Where silhouettes run between neighbouring pixels. Every view is cut into blocks of d3d_antialias_block_rows rows,
 * and each block has slots for 2 * rows * width crossings, of which the first `count` are used.
 */
typedef struct D3dCrossings {
    int32_t* count;    /* [views, blocks] */
    int32_t* pixel;    /* [views, blocks, slots]: the first of the two pixels, in its view */
    int32_t* edge;     /* 4 * (corner opposite the edge) + 2 * (the second is below, not to the right)
                          + (the second is the nearer) */
    float* shift;      /* where between the two centres, -1/2 to 1/2 */
    float* difference; /* [views, blocks, slots, channels]: the first pixel's colour less the second's */
} D3dCrossings;

typedef struct D3dPicture {
    int32_t channels;
    const float* values; /* [views, height, width, channels] */
} D3dPicture;

D3D_EXPORT int32_t d3d_antialias_block_rows(void);

/* Blend across silhouettes, along rows and then along columns. */
D3D_EXPORT int64_t d3d_antialias_bytes(const D3dCameras*, const D3dMesh*);
D3D_EXPORT int32_t d3d_antialias(const D3dCameras*, const D3dMesh*, const int32_t* opposite, const D3dFragments*,
                                 const D3dPicture*, const D3dCrossings*, float* out, void* workspace,
                                 const D3dLaunch*);
D3D_EXPORT int64_t d3d_antialias_gradient_bytes(const D3dCameras*, const D3dMesh*, int32_t channels,
                                                const D3dLaunch*);
D3D_EXPORT int32_t d3d_antialias_gradient(const D3dCameras*, const D3dMesh*, int32_t channels, const D3dCrossings*,
                                          const float* by_out, float* by_picture, float* by_vertices,
                                          void* workspace, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
