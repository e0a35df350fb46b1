// What is drawn of a surfel, as one row of numbers: its normal and then its colours, any number; and a tile's surfels
// in shared memory.
#pragma once

#include "d3d/abi_surfels.h"
#include "d3d/surfel.h"
#include "splat_values.h"

namespace d3d {

constexpr int NORMAL = 3;

static_assert(sizeof(Surfel<float>) == D3D_SURFEL_FLOATS * sizeof(float), "abi_surfels.h states the size of a surfel");

D3D_INLINE const Surfel<float>* surfels_in(const D3dFootprints& f) {
    return reinterpret_cast<const Surfel<float>*>(f.seen);
}

// Where a number of the row lies in the pictures, or null where there is no such picture.
template <class Pictures>
D3D_INLINE auto picture_of(const Pictures& pictures, int channels, int64_t at, int number)
    -> decltype(pictures.normal) {
    if (number < NORMAL) return pictures.normal ? pictures.normal + NORMAL * at + number : nullptr;
    number -= NORMAL;
    return pictures.colours && number < channels ? pictures.colours + channels * at + number : nullptr;
}

// The planes of a pixel's state, in the order that abi_surfels.h gives.
struct State {
    float* first;
    int64_t pixels;

    D3D_INLINE State(const D3dSurfelImages& images, const D3dCameras& cameras, const Place& place)
        : pixels(int64_t(cameras.width) * cameras.height) {
        first = images.state + place.view * (D3D_SURFEL_STATES - 1) * pixels + place.at;
    }
    D3D_INLINE float& operator[](int plane) const { return first[plane * pixels]; }
};

// 1 / z of the first surfel of the tile's list, from which the distortion's m is measured.
__device__ __forceinline__ float origin_of(const Place& place, const D3dFootprints& f) {
    return place.listed ? surfels_in(f)[place.list[0]].inverse_depth : 0.f;
}

template <int SIZE, int WIDTH>
struct SurfelBatch {
    Batch<SIZE, 1> bounds;
    Surfel<float> surfels[SIZE];
    alignas(16) float values[SIZE][WIDTH];

    // All threads of the block bring the surfels of a list, and the numbers of their rows from `first` on.
    __device__ __forceinline__ void fetch(const D3dSurfels& g, const D3dFootprints& f, const Place& place,
                                          const int32_t* list, int listed, int first) {
        bounds.fetch_splats(f, place, list, listed);
        for (int i = threadIdx.x; i < listed; i += PIXELS)
            if (place.owns(list[i])) surfels[i] = surfels_in(f)[list[i]];
        for (int i = threadIdx.x; i < listed * WIDTH; i += PIXELS)
            values[i / WIDTH][i % WIDTH] = value_of(g, f, place, list[i / WIDTH], first + i % WIDTH);
    }

private:
    __device__ __forceinline__ static float value_of(const D3dSurfels& g, const D3dFootprints& f, const Place& place,
                                                     int32_t footprint, int number) {
        if (!place.owns(footprint) || number >= NORMAL + g.channels) return 0;
        if (number < NORMAL) return surfels_in(f)[footprint].normal[number];
        return g.colours[place.view * g.view_stride + int64_t(footprint - place.first) * g.channels + number - NORMAL];
    }
};

__device__ __forceinline__ SurfelShape<float> shape_of(const D3dSurfels& g, int64_t surfel) {
    SurfelShape<float> one;
    for (int i = 0; i < 3; i++) one.mean[i] = g.means[3 * surfel + i];
    for (int i = 0; i < 4; i++) one.wxyz[i] = g.wxyz[4 * surfel + i];
    for (int i = 0; i < 2; i++) one.scale[i] = g.scales[2 * surfel + i];
    one.opacity = g.opacities[surfel];
    return one;
}

}  // namespace d3d
