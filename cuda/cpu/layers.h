// What is drawn of a splat, as one row of numbers: depth, radiance, normal and colours, those that have a picture.
#pragma once

#include <cstdint>
#include <cstring>

#include "d3d/abi_splat.h"

namespace d3d {

inline int seen_floats(const D3dSplatValues& v) { return 1 + (v.harmonics ? 3 : 0) + (v.normals ? 3 : 0); }

// Few floats without a call, which would cost more than the copy. Returns the end of what was written.
inline float* copy_few(const float* from, int count, float* to) {
    for (; count >= 4; count -= 4, from += 4, to += 4) std::memcpy(to, from, 4 * sizeof(float));
    if (count & 2) std::memcpy(to, from, 2 * sizeof(float)), from += 2, to += 2;
    if (count & 1) *to++ = *from;
    return to;
}

// Picture is float where pictures are drawn, const float where their gradients are read.
template <class Picture>
struct Layers {
    struct Layer {
        const float* values;
        int64_t view_stride, splat_stride;
        Picture* picture;
        int channels, first;
    };
    static constexpr int FEW = 8;  // channels that a loop keeps in registers

    Layer layers[4] = {};
    int count = 0;
    int narrow = 0;     // channels of the row
    Layer wide = {};    // the colours, where they are too many for the row
    int depth = -1, radiance = -1, normal = -1, colours = -1;  // where each begins in the row; -1: it is not there

    // `pictures` has the members depth, radiance, normal and colours, null for what is left out.
    template <class Pictures>
    Layers(const D3dSplatValues& v, const D3dFootprints& footprints, int64_t splats, const Pictures& pictures) {
        const int seen = seen_floats(v);
        const float* values = footprints.seen;
        depth = add({values, splats * seen, seen, pictures.depth, 1, 0});
        if (v.harmonics) radiance = add({values + 1, splats * seen, seen, pictures.radiance, 3, 0});
        if (v.normals) normal = add({values + seen - 3, splats * seen, seen, pictures.normal, 3, 0});
        Layer given{v.colours, v.view_stride, v.channels, pictures.colours, v.channels, 0};
        if (narrow + v.channels <= FEW)
            colours = add(given);
        else if (pictures.colours)
            wide = given;
    }

    void row(int64_t view, int64_t splat, float* out) const {
        for (int i = 0; i < count; i++) {
            const float* from = layers[i].values + view * layers[i].view_stride + splat * layers[i].splat_stride;
            out = copy_few(from, layers[i].channels, out);
        }
    }
    // Asks memory for what `row` will read.
    void ask_for_row(int64_t view, int64_t splat) const {
        for (int i = 0; i < count; i++)
            __builtin_prefetch(layers[i].values + view * layers[i].view_stride + splat * layers[i].splat_stride);
    }
    const float* wide_row(int64_t view, int64_t splat) const {
        return wide.values + view * wide.view_stride + splat * wide.splat_stride;
    }

   private:
    int add(const Layer& layer) {
        if (!layer.picture || !layer.channels) return -1;
        layers[count] = layer;
        layers[count++].first = narrow;
        narrow += layer.channels;
        return narrow - layer.channels;
    }
};

}  // namespace d3d
