/* The C interface of SSIM. See abi.h for the rules; distill3d/ops/_ssim_kernels.py mirrors this file. */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct D3dPicturePair {
    int64_t views, height, width, channels;
    const float *a, *b; /* [views, height, width, channels] each */
} D3dPicturePair;

/* Similarity of every pixel's surroundings: map [views, height, width, channels], and slopes [4, as map], which
 * may be null if no gradient will be asked for. Outside the pictures is black. */
D3D_EXPORT int64_t d3d_ssim_bytes(const D3dPicturePair*, const D3dLaunch*);
D3D_EXPORT int32_t d3d_ssim(const D3dPicturePair*, float* map, float* slopes, void* workspace, const D3dLaunch*);

/* The gradients of a and b from that of the map; each as large as its picture. */
D3D_EXPORT int32_t d3d_ssim_gradient(const D3dPicturePair*, const float* slopes, const float* by_map, float* by_a,
                                     float* by_b, void* workspace, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
