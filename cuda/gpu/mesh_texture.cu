// Textures sampled between texels and levels, a thread for each sample; back, lanes in one cell add up first.

#include "d3d/texture.h"
#include "scatter.h"

using namespace d3d;

namespace {

constexpr int THREADS = 256;

__global__ void read(Reader reader, float* out) {
    const int64_t sample = thread_of_grid();
    if (sample < reader.count()) read_sample(reader, sample, out + sample * reader.pyramid.channels);
}

__global__ void to_coordinates(Reader reader, const float* by_out, D3dTextureGradients by) {
    const int64_t sample = thread_of_grid();
    if (sample < reader.count()) sample_gradient(reader, sample, by_out + sample * reader.pyramid.channels, by);
}

// Into the nearer or the farther of each sample's levels, probe after probe.
__global__ void to_texels(Reader reader, bool farther, const float* by_out, float* by_values) {
    const int64_t sample = thread_of_grid();
    const int channels = reader.pyramid.channels;
    Reader::Probes probes{};
    float share = 0;
    int64_t first = 0;
    if (sample < reader.count() && reader.usable(sample)) {
        probes = reader.probes(sample);
        share = farther ? probes.levels.weight : 1 - probes.levels.weight;
        first = sample / reader.samples.per_texture * reader.pyramid.texels;
    }
    for (int32_t i = 0; __any_sync(ALL_LANES, share > 0 && i <= 2 * probes.farthest); i++) {
        const bool mine = share > 0 && i <= 2 * probes.farthest;
        const Probe<float> probe = mine ? probe_of(i - probes.farthest, probes.length) : Probe<float>{};
        const Cell<float> cell = mine ? probes.cell(probe, farther ? probes.far : probes.near) : Cell<float>{};
        const int64_t key = mine ? first + cell.texel(0) : -1;
        for (int c = 0; c < channels; c++) {
            float by = mine ? probe.weight * share * by_out[sample * channels + c] : 0, parts[4];
            for (int corner = 0; corner < 4; corner++) parts[corner] = by * cell.weight(corner);
            if (gather_lanes(key, parts))
                for (int corner = 0; corner < 4; corner++)
                    atomicAdd(by_values + (first + cell.texel(corner)) * channels + c, parts[corner]);
        }
    }
}

}  // namespace

int32_t d3d_texture(const D3dPyramid* pyramid, const D3dSamples* samples, float* out, const D3dLaunch* launch) {
    Stream stream(*launch);
    Reader reader{*pyramid, *samples};
    stream.run(read, Grid::over(reader.count(), THREADS), reader, out);
    return stream.status();
}

int64_t d3d_texture_gradient_bytes(const D3dPyramid*, const D3dSamples*, const D3dLaunch*) { return 0; }

int32_t d3d_texture_gradient(const D3dPyramid* pyramid, const D3dSamples* samples, const float* by_out,
                             const D3dTextureGradients* by, void*, const D3dLaunch* launch) {
    Stream stream(*launch);
    Reader reader{*pyramid, *samples};
    const Grid grid = Grid::over(reader.count(), THREADS);
    stream.zero(by->values, pyramid->count * pyramid->texels * pyramid->channels * int64_t(sizeof(float)));
    stream.run(to_coordinates, grid, reader, by_out, *by);
    stream.run(to_texels, grid, reader, false, by_out, by->values);
    if (pyramid->levels > 1) stream.run(to_texels, grid, reader, true, by_out, by->values);
    return stream.status();
}
