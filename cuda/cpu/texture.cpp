// Textures sampled between texels and levels, and back: samples by cell, each cell's corners, cells around a texel.

#include "d3d/texture.h"
#include "groups.h"

using namespace d3d;

namespace {

// An item is a sample in one of its two levels; a cell is named by its first texel.
struct Work {
    const Reader& reader;
    int per_sample;
    Groups items;
    float* by_corner;  // [textures * texels, 4, channels]

    Work(const Reader& reader, const D3dLaunch& launch, void* memory)
        : reader(reader), per_sample(reader.pyramid.levels > 1 ? 2 : 1),
          items(reader.count() * per_sample, reader.pyramid.count * reader.pyramid.texels, launch, memory),
          by_corner(static_cast<float*>(items.after())) {}
    int64_t bytes() const {
        return items.bytes() +
               4 * reader.pyramid.count * reader.pyramid.texels * reader.pyramid.channels * int64_t(sizeof(float));
    }

    int64_t sample_of(int64_t item) const { return item / per_sample; }
    int32_t level(int64_t item, const Span<float>& levels) const {
        return item % per_sample ? levels.last : levels.first;
    }

    int64_t key(int64_t item) const {
        int64_t sample = sample_of(item);
        if (!reader.usable(sample)) return -1;
        Span<float> levels = reader.levels(sample);
        if (item % per_sample && levels.weight == 0) return -1;
        int64_t texture = sample / reader.samples.per_texture;
        return texture * reader.pyramid.texels + reader.cell(sample, level(item, levels)).texel(0);
    }

    void add(int64_t item, const float* by_out, float* by_corner) const {
        const int channels = reader.pyramid.channels;
        int64_t sample = sample_of(item);
        Span<float> levels = reader.levels(sample);
        Cell<float> cell = reader.cell(sample, level(item, levels));
        float share = item % per_sample ? levels.weight : 1 - levels.weight;
        for (int corner = 0; corner < 4; corner++)
            for (int c = 0; c < channels; c++)
                by_corner[corner * channels + c] += share * cell.weight(corner) * by_out[sample * channels + c];
    }
};

// Sums what the four cells around each texel hold for it. Where the border goes on there is no cell before the
// first texel, and the last one's far corners have no weight.
void gather_texels(const D3dPyramid& pyramid, const float* by_corner, float* by_values, const D3dLaunch& launch) {
    const int channels = pyramid.channels;
    for (int64_t texture = 0; texture < pyramid.count; texture++) {
        for (int32_t index = 0; index < pyramid.levels; index++) {
            Level level = level_of(pyramid.width, pyramid.height, index);
            int64_t first = texture * pyramid.texels + level.first_texel;
#pragma omp parallel for num_threads(launch.threads) schedule(static)
            for (int32_t row = 0; row < level.height; row++) {
                for (int32_t column = 0; column < level.width; column++) {
                    float* sum = by_values + (first + int64_t(row) * level.width + column) * channels;
                    std::fill_n(sum, channels, 0.f);
                    for (int corner = 0; corner < 4; corner++) {
                        int32_t x = column - (corner & 1), y = row - (corner >> 1);
                        if ((x < 0 || y < 0) && !pyramid.repeats) continue;
                        x += x < 0 ? level.width : 0, y += y < 0 ? level.height : 0;
                        const float* part = by_corner + (4 * (first + int64_t(y) * level.width + x) + corner) * channels;
                        for (int c = 0; c < channels; c++) sum[c] += part[c];
                    }
                }
            }
        }
    }
}

}  // namespace

int32_t d3d_texture(const D3dPyramid* pyramid, const D3dSamples* samples, float* out, const D3dLaunch* launch) {
    Reader reader{*pyramid, *samples};
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t sample = 0; sample < reader.count(); sample++) {
        float* value = out + sample * pyramid->channels;
        std::fill_n(value, pyramid->channels, 0.f);
        if (!reader.usable(sample)) continue;
        Span<float> levels = reader.levels(sample);
        reader.add(sample, reader.cell(sample, levels.first), 1 - levels.weight, value);
        if (levels.weight > 0) reader.add(sample, reader.cell(sample, levels.last), levels.weight, value);
    }
    return D3D_OK;
}

int64_t d3d_texture_gradient_bytes(const D3dPyramid* pyramid, const D3dSamples* samples, const D3dLaunch* launch) {
    return Work(Reader{*pyramid, *samples}, *launch, nullptr).bytes();
}

int32_t d3d_texture_gradient(const D3dPyramid* pyramid, const D3dSamples* samples, const float* by_out,
                             const D3dTextureGradients* by, void* memory, const D3dLaunch* launch) {
    const int channels = pyramid->channels;
    Reader reader{*pyramid, *samples};
    Work work(reader, *launch, memory);
    if (work.items.too_many()) return D3D_TOO_MANY_PAIRS;
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t sample = 0; sample < reader.count(); sample++)
        sample_gradient(reader, sample, by_out + sample * channels, *by);
    work.items.sort([&](int64_t item) { return work.key(item); });
    work.items.for_each([&](int64_t cell, const int32_t* from, const int32_t* end) {
        float* by_corner = work.by_corner + 4 * cell * channels;
        std::fill_n(by_corner, 4 * channels, 0.f);
        for (; from < end; from++) work.add(*from, by_out, by_corner);
    });
    gather_texels(*pyramid, work.by_corner, by->values, *launch);
    return D3D_OK;
}
