// What the tiles leave for each footprint: sums over its pixels, from which the Gaussians' gradients are made.
#pragma once

#include "splat_values.h"

namespace d3d {

// Numbers of a record: six moments, two absolute sums, and those of `seen`.
constexpr int ABSOLUTE = 6, FIXED = 8;

struct Records {
    float* records;  // [views * count, numbers]
    float* colours;  // like D3dGaussianGradients.colours, or null
    int numbers;

    __device__ __forceinline__ float* of(int64_t footprint) const { return records + footprint * numbers; }
};

// Writes all gradients but those of the colours.
void gather_gradients(Stream& stream, const D3dCameras& cameras, const D3dGaussians& g, const D3dSplatValues& v,
                      const D3dFootprints& footprints, const Records& records, const D3dGaussianGradients& by);

}  // namespace d3d
