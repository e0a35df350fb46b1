// Attributes of faces' corners at pixels, a thread for each number; and back, a thread for each pixel.

#include "d3d/abi_mesh.h"
#include "scatter.h"

using namespace d3d;

namespace {

constexpr int THREADS = 256;

// The rows of values at a spot's corners; false where it sees nothing that is there.
__device__ bool rows_of(const D3dAttributes& attributes, const D3dSpots& spots, int64_t spot, int64_t (&rows)[3]) {
    int64_t face = spots.triangle[spot];
    if (face < 0 || face >= attributes.face_count) return false;
    for (int i = 0; i < 3; i++) {
        rows[i] = attributes.indices[3 * face + i];
        if (rows[i] < 0 || rows[i] >= attributes.count) return false;
    }
    return true;
}

__global__ void weigh(D3dAttributes attributes, D3dSpots spots, float* out) {
    int64_t i = thread_of_grid(), spot = i / attributes.channels;
    if (spot >= spots.count) return;
    const float *b = spots.barycentric + 3 * spot, *values = attributes.values + i % attributes.channels;
    int64_t rows[3];
    float value = 0;
    if (rows_of(attributes, spots, spot, rows))
        for (int j = 0; j < 3; j++) value += b[j] * values[rows[j] * attributes.channels];
    out[i] = value;
}

__global__ void weigh_back(D3dAttributes attributes, D3dSpots spots, const float* by_out, float* by_values,
                           float* by_barycentric) {
    const int64_t spot = thread_of_grid();
    int64_t rows[3] = {};
    const bool seen = spot < spots.count && rows_of(attributes, spots, spot, rows);
    const int64_t key = seen ? spots.triangle[spot] : -1;
    float b[3] = {}, by_b[3] = {};
    if (seen)
        for (int j = 0; j < 3; j++) b[j] = spots.barycentric[3 * spot + j];
    for (int c = 0; c < attributes.channels; c++) {
        float by = seen ? by_out[spot * attributes.channels + c] : 0, parts[3];
        for (int j = 0; j < 3; j++) {
            parts[j] = b[j] * by;
            if (seen) by_b[j] += by * attributes.values[rows[j] * attributes.channels + c];
        }
        if (gather_lanes(key, parts))
            for (int j = 0; j < 3; j++) atomicAdd(by_values + rows[j] * attributes.channels + c, parts[j]);
    }
    if (spot < spots.count)
        for (int j = 0; j < 3; j++) by_barycentric[3 * spot + j] = by_b[j];
}

}  // namespace

int32_t d3d_interpolate(const D3dAttributes* attributes, const D3dSpots* spots, float* out, const D3dLaunch* launch) {
    Stream stream(*launch);
    stream.run(weigh, Grid::over(spots->count * attributes->channels, THREADS), *attributes, *spots, out);
    return stream.status();
}

int64_t d3d_interpolate_gradient_bytes(const D3dAttributes*, const D3dSpots*, const D3dLaunch*) { return 0; }

int32_t d3d_interpolate_gradient(const D3dAttributes* attributes, const D3dSpots* spots, const float* by_out,
                                 float* by_values, float* by_barycentric, void*, const D3dLaunch* launch) {
    Stream stream(*launch);
    stream.zero(by_values, attributes->count * attributes->channels * int64_t(sizeof(float)));
    stream.run(weigh_back, Grid::over(spots->count, THREADS), *attributes, *spots, by_out, by_values, by_barycentric);
    return stream.status();
}
