// What the loops over surfels share; their bounds are binned and walked as splats are.
#pragma once

#include <algorithm>

#include "d3d/abi_surfels.h"
#include "d3d/surfel.h"
#include "walk.h"

namespace d3d {

constexpr int NORMAL = 3;  // channels after the colours'

static_assert(sizeof(Surfel<float>) == D3D_SURFEL_FLOATS * sizeof(float), "abi_surfels.h states the size of a surfel");

inline Surfel<float>* surfels_of(const D3dFootprints& footprints, int64_t view, int64_t count) {
    return reinterpret_cast<Surfel<float>*>(footprints.seen) + view * count;
}

inline const float* colour_of(const D3dSurfels& g, int64_t view, int64_t surfel) {
    return g.colours + view * g.view_stride + surfel * g.channels;
}

// 1 / z of the first surfel of a tile's list, from which the distortion's m is measured.
inline float origin_of(const Place& place, const D3dPairs& pairs, const Surfel<float>* surfels) {
    return place.first_pair == place.end_pair ? 0 : surfels[pairs.pairs[2 * int64_t(place.first_pair)]].inverse_depth;
}

// A picture's planes of state, in the order that abi_surfels.h gives.
struct State {
    float *transmittance, *last, *median_place, *m, *mm;

    State(const D3dSurfelImages& images, const D3dCameras& cameras, int64_t view) {
        int64_t pixels = int64_t(cameras.width) * cameras.height;
        float* first = images.state + view * D3D_SURFEL_STATES * pixels;
        transmittance = first, last = first + pixels, median_place = first + 2 * pixels, m = first + 3 * pixels;
        mm = first + 4 * pixels;
    }
};

inline SurfelShape<Wide> gather_shapes(const D3dSurfels& g, int64_t first) {
    SurfelShape<Wide> wide;
    for (int i = 0; i < 3; i++) wide.mean[i] = gather(g.means, first, g.count, 3, i);
    for (int i = 0; i < 4; i++) wide.wxyz[i] = gather(g.wxyz, first, g.count, 4, i);
    for (int i = 0; i < 2; i++) wide.scale[i] = gather(g.scales, first, g.count, 2, i);
    wide.opacity = gather(g.opacities, first, g.count, 1, 0);
    return wide;
}

}  // namespace d3d
