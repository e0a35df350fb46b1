/* The C interface of marching, of packed scans and of volume rendering. See abi.h for the rules;
 * distill3d/ops/_march_kernels.py, _scan_kernels.py and _volume_kernels.py mirror this file.
 *
 * Packed: the entries of ray r are at offsets[r] to offsets[r + 1]; later entries belong to no ray.
 */
#pragma once

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct D3dRays {
    int64_t count;
    const float* origins;    /* [count, 3] */
    const float* directions; /* [count, 3], of any length; distances along a ray are in units of it */
    const float *near, *far; /* [count] */
    const float* jitter;     /* [count], in [0, 1) */
} D3dRays;

typedef struct D3dOccupancy {
    int32_t levels, cells;
    float extent;            /* level l covers [-extent 2^l, extent 2^l]^3 */
    const uint8_t* occupied; /* [levels, cells, cells, cells], axes z, y, x; 0 or 1 */
} D3dOccupancy;

typedef struct D3dSteps {
    float step, longest; /* of a stretch, in world units */
    float cone;          /* its length by the distance from the origin; 0: always `step` */
    int32_t limit;       /* samples that a ray has at most */
} D3dSteps;

typedef struct D3dSamples {
    int64_t capacity;
    float *starts, *ends; /* [capacity] */
    float* points;        /* [capacity, 3] of the middles */
    int32_t* rays;        /* [capacity] */
    int32_t* offsets;     /* [rays + 1] */
} D3dSamples;

/* Counts the samples of each ray, and fills offsets, cut at the capacity. `needed` is one int64, on the device. */
D3D_EXPORT int64_t d3d_march_count_bytes(int64_t rays);
D3D_EXPORT int32_t d3d_march_count(const D3dRays*, const D3dOccupancy*, const D3dSteps*, int64_t capacity,
                                   int32_t* offsets, int64_t* needed, void* workspace, const D3dLaunch*);
D3D_EXPORT int32_t d3d_march_write(const D3dRays*, const D3dOccupancy*, const D3dSteps*, const D3dSamples*,
                                   const D3dLaunch*);

typedef enum D3dScan { D3D_SUM = 0, D3D_PRODUCT = 1 } D3dScan;

/* Within each ray, the sum or product of all entries in front of each entry (exclusive), or also of itself. */
D3D_EXPORT int32_t d3d_scan(int32_t kind, int32_t exclusive, int64_t rays, int64_t capacity, const int32_t* offsets,
                            const float* values, float* results, const D3dLaunch*);
D3D_EXPORT int32_t d3d_scan_gradient(int32_t kind, int32_t exclusive, int64_t rays, int64_t capacity,
                                     const int32_t* offsets, const float* values, const float* by_results,
                                     float* by_values, const D3dLaunch*);

typedef struct D3dVolume {
    int64_t rays, capacity;
    int32_t channels;
    const int32_t* offsets;    /* [rays + 1] */
    const float *starts, *ends; /* [capacity] */
    const float* speeds;       /* [rays]: the lengths of the directions */
    const float* log_density;  /* [capacity], per world unit */
    const float* values;       /* [capacity, channels], or null where channels is 0 */
} D3dVolume;

typedef struct D3dRayImages {
    float* values;                     /* [rays, channels] */
    float *alpha, *depth, *distortion; /* [rays] */
    float* weights;                    /* [capacity] */
    float* behind;                     /* [capacity]: the light that a sample lets through; -1: it is not looked at */
} D3dRayImages;

typedef struct D3dRayImageGradients {
    const float *values, *alpha, *depth, *distortion, *weights;
} D3dRayImageGradients;

/* The light that reaches each sample; 0 where it is not looked at. */
D3D_EXPORT int32_t d3d_volume_transmittance(const D3dVolume*, float* transmittance, const D3dLaunch*);
D3D_EXPORT int32_t d3d_volume_composite(const D3dVolume*, const D3dRayImages*, const D3dLaunch*);
/* Reads weights and behind of the images. */
D3D_EXPORT int32_t d3d_volume_gradient(const D3dVolume*, const D3dRayImages*, const D3dRayImageGradients*,
                                       float* by_log_density, float* by_values, const D3dLaunch*);

/* Edges of `count` stretches of each ray, at quantiles of the density that `weights` say; edges [rays, count + 1]. */
D3D_EXPORT int32_t d3d_volume_resample(int64_t rays, const int32_t* offsets, const float* starts, const float* ends,
                                       const float* weights, const float* jitter, int32_t count, float* edges,
                                       const D3dLaunch*);

#ifdef __cplusplus
}
#endif
