/* The C interface of texture sampling. See abi.h for the rules; distill3d/ops/_texture_kernels.py mirrors this file. */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Textures with their mip levels one after the other. Level l has max(1, width >> l) times max(1, height >> l)
 * texels, row by row.
 */
typedef struct D3dPyramid {
    int64_t count;  /* textures */
    int64_t texels; /* of all levels of one texture */
    int32_t width, height, levels, channels;
    int32_t repeats;     /* outside [0, 1] the texture repeats, or else its border goes on */
    const float* values; /* [count, texels, channels] */
} D3dPyramid;

#define D3D_LONGEST_FOOTPRINT 15

typedef struct D3dSamples {
    int64_t per_texture;
    const float* uv;        /* [count, per_texture, 2] */
    const float* footprint; /* [count, per_texture, 4], or null: bilinear in the first level. Level, length of the
                             * longer axis in steps (1 to D3D_LONGEST_FOOTPRINT), and a step in u and in v.
                             */
} D3dSamples;

typedef struct D3dTextureGradients {
    float* values; /* like the pyramid's */
    float* uv;
    float* footprint; /* null if the samples have none */
} D3dTextureGradients;

/* Values [count, per_texture, channels], linear between texels and between levels and averaged along footprints; 0
 * for a uv or a footprint that is not finite. A gradient's workspace is for the samples that were given with it.
 */
D3D_EXPORT int32_t d3d_texture(const D3dPyramid*, const D3dSamples*, float* out, const D3dLaunch*);
D3D_EXPORT int64_t d3d_texture_gradient_bytes(const D3dPyramid*, const D3dSamples*, const D3dLaunch*);
D3D_EXPORT int32_t d3d_texture_gradient(const D3dPyramid*, const D3dSamples*, const float* by_out,
                                        const D3dTextureGradients*, void* workspace, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
