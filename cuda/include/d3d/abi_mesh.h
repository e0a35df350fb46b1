/* The C interface of mesh rasterization. See abi.h for the rules; distill3d/ops/_mesh_kernels.py mirrors this file. */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct D3dMesh {
    int64_t vertex_count, face_count;
    const float* vertices;  /* [vertex_count, 3] */
    const int32_t* faces;   /* [face_count, 3] */
} D3dMesh;

typedef struct D3dFragments {
    int32_t* triangle;  /* [views, height, width] */
    float* barycentric; /* [views, height, width, 3] */
    float* depth;       /* [views, height, width] */
} D3dFragments;

/* Set up: every triangle in every view, and the number of pairs with tiles. */
D3D_EXPORT int64_t d3d_mesh_setup_bytes(const D3dCameras*, const D3dMesh*, const D3dLaunch*);
D3D_EXPORT int32_t d3d_mesh_setup(const D3dCameras*, const D3dMesh*, void* setup, int64_t* pairs, const D3dLaunch*);
D3D_EXPORT int64_t d3d_mesh_rasterize_bytes(const D3dCameras*, int64_t pairs);
D3D_EXPORT int32_t d3d_mesh_rasterize(const D3dCameras*, const D3dMesh*, void* setup, int64_t pairs, const D3dFragments*,
                           void* workspace, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
