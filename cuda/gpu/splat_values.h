// What is drawn of a splat, as one row of numbers: depth, radiance, normal, and any number of colours.
#pragma once

#include "tiles.h"

namespace d3d {

D3D_INLINE int seen_floats(const D3dSplatValues& v) { return 1 + (v.harmonics ? 3 : 0) + (v.normals ? 3 : 0); }
D3D_INLINE int row_floats(const D3dSplatValues& v) { return seen_floats(v) + v.channels; }

// The numbers of a row are drawn WIDTH at a time, each group by a block of its own; a row that fits is one group.
constexpr int WIDEST = 32;
D3D_INLINE int groups_of(int row, int width) { return row ? (row + width - 1) / width : 1; }

// Calls run with the width, as an integral constant, in which a row is drawn.
template <class Run>
void with_width_for(int row, Run run) {
    if (row <= 4)
        run(std::integral_constant<int, 4>{});
    else if (row <= 8)
        run(std::integral_constant<int, 8>{});
    else if (row <= 16)
        run(std::integral_constant<int, 16>{});
    else
        run(std::integral_constant<int, WIDEST>{});
}

D3D_INLINE float value_of(const D3dSplatValues& v, const D3dFootprints& f, const Place& place, int64_t footprint,
                          int number) {
    const int seen = seen_floats(v);
    if (number < seen) return f.seen[footprint * seen + number];
    return v.colours[place.view * v.view_stride + (footprint - place.first) * v.channels + (number - seen)];
}

// Where a number of the row lies in the pictures, or null where there is no such picture.
template <class Pictures>
D3D_INLINE auto picture_of(const Pictures& pictures, const D3dSplatValues& v, int64_t at, int number)
    -> decltype(pictures.depth) {
    auto in = [&](auto* picture, int channels, int channel) {
        return picture ? picture + at * channels + channel : picture;
    };
    if (number == 0) return in(pictures.depth, 1, 0);
    const int seen = seen_floats(v);
    if (number >= seen) return in(pictures.colours, v.channels, number - seen);
    return v.harmonics && number < 4 ? in(pictures.radiance, 3, number - 1)
                                     : in(pictures.normal, 3, number - (seen - 3));
}

__device__ __forceinline__ Gaussian<float> gaussian_of(const D3dGaussians& g, int64_t splat) {
    Gaussian<float> one;
    for (int i = 0; i < 3; i++) one.mean[i] = g.means[3 * splat + i];
    for (int i = 0; i < 4; i++) one.wxyz[i] = g.wxyz[4 * splat + i];
    for (int i = 0; i < 3; i++) one.scale[i] = g.scales[3 * splat + i];
    one.opacity = g.opacities[splat];
    return one;
}

// As much of a splat as a pixel needs, in two loads of 16 bytes.
struct alignas(16) Near {
    float x, y, a, b, c, opacity, cutoff, unused;

    Near() = default;
    __device__ __forceinline__ explicit Near(const Splat<float>& s)
        : x(s.x), y(s.y), a(s.a), b(s.b), c(s.c), opacity(s.opacity), cutoff(s.cutoff), unused(0) {}
    // What meets no pixel.
    __device__ __forceinline__ static Near nothing() { return Near({0, 0, 1, 0, 1, 0, -1, 0, 0, 0}); }
    __device__ __forceinline__ Splat<float> splat() const { return {x, y, a, b, c, opacity, cutoff, 0, 0, 0}; }
};

// Splats of a tile's list in shared memory, with a group of the numbers of their rows.
template <int SIZE, int WIDTH>
struct Batch {
    Near splats[SIZE];
    alignas(16) float values[SIZE][WIDTH];

    // All threads of the block bring the splats of a list, and their numbers from `first` on.
    __device__ __forceinline__ void fetch_splats(const D3dFootprints& f, const Place& place, const int32_t* list,
                                                 int listed) {
        const auto all = reinterpret_cast<const Splat<float>*>(f.splats);
        for (int i = threadIdx.x; i < listed; i += PIXELS)
            splats[i] = place.owns(list[i]) ? Near(all[list[i]]) : Near::nothing();
    }
    __device__ __forceinline__ void fetch(const D3dSplatValues& v, const D3dFootprints& f, const Place& place,
                                          const int32_t* list, int listed, int first) {
        fetch_splats(f, place, list, listed);
        const int numbers = row_floats(v);
        for (int i = threadIdx.x; i < listed * WIDTH; i += PIXELS) {
            const int32_t footprint = list[i / WIDTH];
            const int number = first + i % WIDTH;
            values[i / WIDTH][i % WIDTH] =
                number < numbers && place.owns(footprint) ? value_of(v, f, place, footprint, number) : 0.f;
        }
    }
};

}  // namespace d3d
