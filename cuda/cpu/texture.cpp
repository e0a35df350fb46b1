// Textures sampled between texels and levels, and back: probes by cell, each cell's corners, cells around a texel.

#include "d3d/texture.h"
#include "groups.h"

using namespace d3d;

namespace {

// An item is a probe of a sample in one of its two levels; a cell is named by its first texel.
struct Work {
    const Reader& reader;
    int per_probe;
    int64_t probes;
    Groups items;
    float* by_corner;   // [textures * texels, 4, channels]
    int32_t* sample_of; // [probes]
    int32_t* first_of;  // [samples], a sample's first probe
    int32_t* cell_of;   // [items], or -1 for those without a weight

    Work(const Reader& reader, const D3dLaunch& launch, void* memory)
        : reader(reader), per_probe(reader.pyramid.levels > 1 ? 2 : 1), probes(count_probes(reader, launch)),
          items(probes * per_probe, reader.pyramid.count * reader.pyramid.texels, launch, memory),
          by_corner(static_cast<float*>(items.after())),
          sample_of(reinterpret_cast<int32_t*>(by_corner + corner_numbers())), first_of(sample_of + probes),
          cell_of(first_of + reader.count()) {}

    int64_t corner_numbers() const {
        return 4 * reader.pyramid.count * reader.pyramid.texels * reader.pyramid.channels;
    }
    int64_t bytes() const {
        return items.bytes() + (corner_numbers() + (1 + per_probe) * probes + reader.count()) * int64_t(sizeof(float));
    }
    bool too_many() const { return items.too_many() || reader.count() > INT32_MAX; }

    static int64_t count_probes(const Reader& reader, const D3dLaunch& launch) {
        int64_t probes = 0;
#pragma omp parallel for num_threads(launch.threads) schedule(static) reduction(+ : probes)
        for (int64_t sample = 0; sample < reader.count(); sample++) probes += reader.probe_count(sample);
        return probes;
    }

    void list_probes() {
        int32_t next = 0;
        for (int32_t sample = 0; sample < reader.count(); sample++) {
            first_of[sample] = next;
            for (int32_t left = reader.probe_count(sample); left; left--) sample_of[next++] = sample;
        }
    }

    void sort(const D3dLaunch& launch) {
        list_probes();
#pragma omp parallel for num_threads(launch.threads) schedule(static)
        for (int64_t item = 0; item < probes * per_probe; item++) {
            const int32_t sample = sample_of[item / per_probe];
            const Reader::Probes at = reader.probes(sample);
            const int64_t first = sample / reader.samples.per_texture * reader.pyramid.texels;
            const bool weighs = !(item % per_probe) || at.levels.weight > 0;
            cell_of[item] = weighs ? int32_t(first + cell(item, at).texel(0)) : -1;
        }
        items.sort([&](int64_t item) { return cell_of[item]; });
    }

    void add(int64_t item, const float* by_out, float* by_corner) const {
        const int channels = reader.pyramid.channels;
        const int32_t sample = sample_of[item / per_probe];
        const Reader::Probes at = reader.probes(sample);
        const Cell<float> cell = this->cell(item, at);
        const float share = probe(item, at).weight * (item % per_probe ? at.levels.weight : 1 - at.levels.weight);
        for (int corner = 0; corner < 4; corner++)
            for (int c = 0; c < channels; c++)
                by_corner[corner * channels + c] += share * cell.weight(corner) * by_out[int64_t(sample) * channels + c];
    }

private:
    Probe<float> probe(int64_t item, const Reader::Probes& at) const {
        const int64_t index = item / per_probe;
        return probe_of(int32_t(index) - first_of[sample_of[index]] - at.farthest, at.length);
    }
    Cell<float> cell(int64_t item, const Reader::Probes& at) const {
        return at.cell(probe(item, at), item % per_probe ? at.far : at.near);
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
    for (int64_t sample = 0; sample < reader.count(); sample++)
        read_sample(reader, sample, out + sample * pyramid->channels);
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
    if (work.too_many()) return D3D_TOO_MANY_PAIRS;
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t sample = 0; sample < reader.count(); sample++)
        sample_gradient(reader, sample, by_out + sample * channels, *by);
    work.sort(*launch);
    work.items.for_each([&](int64_t cell, const int32_t* from, const int32_t* end) {
        float* by_corner = work.by_corner + 4 * cell * channels;
        std::fill_n(by_corner, 4 * channels, 0.f);
        for (; from < end; from++) work.add(*from, by_out, by_corner);
    });
    gather_texels(*pyramid, work.by_corner, by->values, *launch);
    return D3D_OK;
}
