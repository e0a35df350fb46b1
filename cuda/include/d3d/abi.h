/* The C interface of the kernels: raw pointers and sizes, no torch, no allocation.
 *
 * Arrays are contiguous; float is float32, all other arrays are int32 unless they say otherwise. A library
 * allocates nothing that outlives a call: the caller asks for sizes and brings the memory. `threads` is the most
 * threads a CPU library may use; results do not depend on it. `stream` is a CUDA stream, ignored by CPU libraries.
 * Every function that can fail returns a D3dStatus. distill3d/ops/_library.py mirrors this file.
 */
#pragma once

#include <stdint.h>

#define D3D_ABI_VERSION 1

#if defined(_WIN32)
#define D3D_EXPORT __declspec(dllexport)
#else
#define D3D_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum D3dStatus {
    D3D_OK = 0,
    D3D_TOO_MANY_PAIRS = 1 /* more than 2^31 - 1 meetings of a primitive with a tile, or primitives in all views */
} D3dStatus;

typedef struct D3dLaunch {
    int32_t threads;
    void* stream;
} D3dLaunch;

typedef struct D3dCameras {
    int64_t views;
    int32_t width, height;
    float near, far;
    const float* world_to_camera; /* [views, 4, 4] */
    const float* intrinsics;      /* [views, 4]: fx, fy, cx, cy in pixels */
} D3dCameras;

/* ---- splats ---- */

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

D3D_EXPORT int32_t d3d_abi_version(void);

/* The x86-64 level that this processor has, 1 to 4; 0 for other processors. */
D3D_EXPORT int32_t d3d_isa_level(void);

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

/* ---- meshes ---- */

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
