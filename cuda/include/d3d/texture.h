// Where a sample falls in a texture's mip levels. The definition is texture_reference.
// Source: Williams 1983, Pyramidal Parametrics.
#pragma once

#include <cstdint>

#include "abi_texture.h"
#include "lane.h"

namespace d3d {

// Texel i's centre is at (i + 1/2) / size. `weight` is of texel `last`, and `slope` its derivative by the coordinate.
template <class S>
struct Span {
    int32_t first, last;
    S weight, slope;
};

template <class S>
D3D_INLINE Span<S> between_texels(S coordinate, int32_t size, bool repeats) {
    S whole = floor(coordinate), slope = S(size);
    S position = (repeats ? coordinate - whole : coordinate) * S(size) - S(0.5);
    if (!repeats) {
        S end = S(size - 1);
        slope = position > 0 && position < end ? slope : S(0);
        position = lesser(greater(position, S(0)), end);
    }
    S below = floor(position);
    int32_t first = int32_t(below), last = first + 1;
    if (repeats) {
        first = first < 0 ? size - 1 : first < size ? first : 0;
        last = last < size ? last : 0;
    } else {
        last = last < size ? last : first;
    }
    return {first, last, position - below, slope};
}

// Four texels of a level around a sample; corner i is right of the first if i is odd, below it if i is 2 or 3.
template <class S>
struct Cell {
    Span<S> across, down;
    int32_t width;
    int64_t first_texel;  // of the level

    D3D_INLINE int64_t texel(int corner) const {
        int64_t row = corner & 2 ? down.last : down.first;
        return first_texel + row * width + (corner & 1 ? across.last : across.first);
    }
    D3D_INLINE S weight(int corner) const {
        return (corner & 1 ? across.weight : 1 - across.weight) * (corner & 2 ? down.weight : 1 - down.weight);
    }
    // The derivatives of a weight by u and by v.
    D3D_INLINE S weight_by_u(int corner) const {
        return (corner & 1 ? across.slope : -across.slope) * (corner & 2 ? down.weight : 1 - down.weight);
    }
    D3D_INLINE S weight_by_v(int corner) const {
        return (corner & 1 ? across.weight : 1 - across.weight) * (corner & 2 ? down.slope : -down.slope);
    }
};

struct Level {
    int32_t width, height;
    int64_t first_texel;
};

D3D_INLINE Level level_of(int32_t width, int32_t height, int32_t level) {
    Level found{width, height, 0};
    for (int32_t i = 0; i < level; i++) {
        found.first_texel += int64_t(found.width) * found.height;
        found.width = found.width > 1 ? found.width / 2 : 1;
        found.height = found.height > 1 ? found.height / 2 : 1;
    }
    return found;
}

template <class S>
D3D_INLINE Cell<S> cell_of(S u, S v, const Level& level, bool repeats) {
    return {between_texels(u, level.width, repeats), between_texels(v, level.height, repeats), level.width,
            level.first_texel};
}

// Two neighbouring levels; `weight` is of the second, and `slope` its derivative by the level.
template <class S>
D3D_INLINE Span<S> between_levels(S level, int32_t levels) {
    S end = S(levels - 1), slope = level >= 0 && level < end ? S(1) : S(0);
    S inside = lesser(greater(level, S(0)), end), below = floor(inside);
    int32_t first = int32_t(below);
    return {first, first + 1 < levels ? first + 1 : first, inside - below, slope};
}

// Textures and the places where they are read.
struct Reader {
    D3dPyramid pyramid;
    D3dSamples samples;

    D3D_INLINE bool usable(int64_t sample) const {
        const float* uv = samples.uv + 2 * sample;
        return finite(uv[0]) && finite(uv[1]) && (!samples.level || finite(samples.level[sample]));
    }
    D3D_INLINE Span<float> levels(int64_t sample) const {
        return between_levels(samples.level ? samples.level[sample] : 0.f, pyramid.levels);
    }
    D3D_INLINE Cell<float> cell(int64_t sample, int32_t level) const {
        const float* uv = samples.uv + 2 * sample;
        return cell_of(uv[0], uv[1], level_of(pyramid.width, pyramid.height, level), pyramid.repeats);
    }
    D3D_INLINE const float* texture(int64_t sample) const {
        return pyramid.values + sample / samples.per_texture * pyramid.texels * pyramid.channels;
    }
    D3D_INLINE int64_t count() const { return pyramid.count * samples.per_texture; }

    D3D_INLINE void add(int64_t sample, const Cell<float>& cell, float weight, float* out) const {
        for (int corner = 0; corner < 4; corner++) {
            const float* texel = texture(sample) + cell.texel(corner) * pyramid.channels;
            float share = weight * cell.weight(corner);
            for (int c = 0; c < pyramid.channels; c++) out[c] += share * texel[c];
        }
    }

    // <by_out, value>, and its derivatives by u and v.
    D3D_INLINE void along(int64_t sample, const Cell<float>& cell, const float* by_out, float (&out)[3]) const {
        out[0] = out[1] = out[2] = 0;
        for (int corner = 0; corner < 4; corner++) {
            const float* texel = texture(sample) + cell.texel(corner) * pyramid.channels;
            float product = 0;
            for (int c = 0; c < pyramid.channels; c++) product += by_out[c] * texel[c];
            out[0] += cell.weight(corner) * product;
            out[1] += cell.weight_by_u(corner) * product;
            out[2] += cell.weight_by_v(corner) * product;
        }
    }
};

D3D_INLINE void sample_gradient(const Reader& reader, int64_t sample, const float* by_out, const D3dTextureGradients& by) {
    float* by_uv = by.uv + 2 * sample;
    by_uv[0] = by_uv[1] = 0;
    if (by.level) by.level[sample] = 0;
    if (!reader.usable(sample)) return;
    Span<float> levels = reader.levels(sample);
    float near[3], far[3];
    reader.along(sample, reader.cell(sample, levels.first), by_out, near);
    reader.along(sample, reader.cell(sample, levels.last), by_out, far);
    for (int i = 0; i < 2; i++) by_uv[i] = near[1 + i] + levels.weight * (far[1 + i] - near[1 + i]);
    if (by.level) by.level[sample] = levels.slope * (far[0] - near[0]);
}

}  // namespace d3d
