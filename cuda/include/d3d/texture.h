// Where a sample's probes fall in a texture's mip levels. The definition is texture_reference.
// Source: Williams 1983, Pyramidal Parametrics; McCormack et al. 1999, Feline.
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

// One of the places that are averaged along a footprint. Probe k stands for what [-length / 2, length / 2] covers of
// the step from k - 1/2 to k + 1/2, and is in the middle of it.
template <class S>
struct Probe {
    S offset, weight;  // in steps from the middle, and its share
    S offset_by_length, weight_by_length;
};

template <class S>
D3D_INLINE int32_t farthest_probe(S length) {
    return int32_t(ceil((length - 1) / 2));
}

template <class S>
D3D_INLINE Probe<S> probe_of(int32_t k, S length) {
    const int32_t away = k < 0 ? -k : k;
    const S side = k < 0 ? S(-1) : S(1), slope = length > 1 ? S(1) : S(0);
    if (away < farthest_probe(length) || !k) return {S(k), 1 / length, S(0), -slope / (length * length)};
    const S before = away - S(0.5), covered = length / 2 - before;
    return {side * (before + covered / 2), covered / length, side / 4, before / (length * length)};
}

// Textures and the places where they are read.
struct Reader {
    D3dPyramid pyramid;
    D3dSamples samples;

    // Where a sample's probes are read.
    struct Probes {
        float u, v, length, step_u, step_v;
        int32_t farthest;
        Span<float> levels;
        Level near, far;
        bool repeats;

        D3D_INLINE Cell<float> cell(const Probe<float>& probe, const Level& level) const {
            return cell_of(u + probe.offset * step_u, v + probe.offset * step_v, level, repeats);
        }
    };

    D3D_INLINE int64_t count() const { return pyramid.count * samples.per_texture; }
    D3D_INLINE bool usable(int64_t sample) const {
        bool usable = finite(samples.uv[2 * sample]) && finite(samples.uv[2 * sample + 1]);
        for (int i = 0; samples.footprint && i < 4; i++) usable = usable && finite(samples.footprint[4 * sample + i]);
        return usable;
    }
    D3D_INLINE float length(int64_t sample) const {
        if (!samples.footprint) return 1;
        return lesser(greater(samples.footprint[4 * sample + 1], 1.f), float(D3D_LONGEST_FOOTPRINT));
    }
    D3D_INLINE int32_t probe_count(int64_t sample) const {
        return usable(sample) ? 1 + 2 * farthest_probe(length(sample)) : 0;
    }
    D3D_INLINE Probes probes(int64_t sample) const {
        const float* uv = samples.uv + 2 * sample;
        const float* footprint = samples.footprint ? samples.footprint + 4 * sample : nullptr;
        Span<float> levels = between_levels(footprint ? footprint[0] : 0.f, pyramid.levels);
        return {uv[0], uv[1], length(sample), footprint ? footprint[2] : 0, footprint ? footprint[3] : 0,
                farthest_probe(length(sample)), levels, level_of(pyramid.width, pyramid.height, levels.first),
                level_of(pyramid.width, pyramid.height, levels.last), bool(pyramid.repeats)};
    }
    D3D_INLINE const float* texture(int64_t sample) const {
        return pyramid.values + sample / samples.per_texture * pyramid.texels * pyramid.channels;
    }

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

D3D_INLINE void read_sample(const Reader& reader, int64_t sample, float* value) {
    for (int c = 0; c < reader.pyramid.channels; c++) value[c] = 0;
    if (!reader.usable(sample)) return;
    const Reader::Probes probes = reader.probes(sample);
    for (int32_t k = -probes.farthest; k <= probes.farthest; k++) {
        const Probe<float> probe = probe_of(k, probes.length);
        const float far = probes.levels.weight * probe.weight;
        reader.add(sample, probes.cell(probe, probes.near), probe.weight - far, value);
        if (far > 0) reader.add(sample, probes.cell(probe, probes.far), far, value);
    }
}

D3D_INLINE void sample_gradient(const Reader& reader, int64_t sample, const float* by_out, const D3dTextureGradients& by) {
    float by_uv[2] = {0, 0}, by_footprint[4] = {0, 0, 0, 0};
    if (reader.usable(sample)) {
        const Reader::Probes probes = reader.probes(sample);
        for (int32_t k = -probes.farthest; k <= probes.farthest; k++) {
            const Probe<float> probe = probe_of(k, probes.length);
            float near[3], far[3], mixed[3];
            reader.along(sample, probes.cell(probe, probes.near), by_out, near);
            reader.along(sample, probes.cell(probe, probes.far), by_out, far);
            for (int i = 0; i < 3; i++) mixed[i] = near[i] + probes.levels.weight * (far[i] - near[i]);
            for (int i = 0; i < 2; i++) {
                by_uv[i] += probe.weight * mixed[1 + i];
                by_footprint[2 + i] += probe.weight * probe.offset * mixed[1 + i];
            }
            by_footprint[0] += probe.weight * probes.levels.slope * (far[0] - near[0]);
            by_footprint[1] += probe.weight_by_length * mixed[0] + probe.weight * probe.offset_by_length *
                                   (mixed[1] * probes.step_u + mixed[2] * probes.step_v);
        }
    }
    for (int i = 0; i < 2; i++) by.uv[2 * sample + i] = by_uv[i];
    for (int i = 0; by.footprint && i < 4; i++) by.footprint[4 * sample + i] = by_footprint[i];
}

}  // namespace d3d
