/* The C interface of the kernels: raw pointers and sizes, no torch, no allocation.
 *
 * Arrays are contiguous; float is float32, all other arrays are int32 unless they say otherwise. A library
 * allocates nothing that outlives a call: the caller asks for sizes and brings the memory. `threads` is the most
 * threads a CPU library may use; results do not depend on it. `stream` is a CUDA stream, ignored by CPU libraries.
 * Every function that can fail returns a D3dStatus. This file holds what all operations share, and
 * distill3d/ops/_library.py mirrors it; each operation has an abi_*.h of its own, mirrored by its _*_kernels.py.
 */
#pragma once

#include <stdint.h>

#define D3D_ABI_VERSION 2

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
    D3D_DEVICE_ERROR = 2, /* a CUDA call failed */
    D3D_TOO_MANY_PAIRS = 1 /* more than 2^31 - 1 meetings of a primitive with a tile, or primitives in all views */
} D3dStatus;

typedef struct D3dLaunch {
    int32_t threads;
    int32_t device; /* of the stream */
    void* stream;
} D3dLaunch;

typedef struct D3dCameras {
    int64_t views;
    int32_t width, height;
    float near, far;
    const float* world_to_camera; /* [views, 4, 4] */
    const float* intrinsics;      /* [views, 4]: fx, fy, cx, cy in pixels */
} D3dCameras;

D3D_EXPORT int32_t d3d_abi_version(void);

/* The x86-64 level that this processor has, 1 to 4; 0 for other processors. */
D3D_EXPORT int32_t d3d_isa_level(void);

#ifdef __cplusplus
}
#endif
