// Attributes of faces' corners at pixels, and back: pixels by face, each face's corners, corners by row of values.

#include "d3d/abi_mesh.h"
#include "groups.h"

using namespace d3d;

namespace {

struct Work {
    Groups spots, corners;
    float* by_corner;  // [faces, 3, channels]

    Work(const D3dAttributes& attributes, const D3dSpots& spots, const D3dLaunch& launch, void* memory)
        : spots(spots.count, attributes.face_count, launch, memory),
          corners(3 * attributes.face_count, attributes.count, launch, this->spots.after()),
          by_corner(static_cast<float*>(corners.after())) {}
    int64_t bytes(const D3dAttributes& attributes) const {
        return spots.bytes() + corners.bytes() +
               3 * attributes.face_count * attributes.channels * int64_t(sizeof(float));
    }
};

// Calls run with the number of channels, known to the compiler where it is small.
template <class Run>
void with_channels(int channels, Run run) {
    switch (channels) {
        case 1: return run(std::integral_constant<int, 1>{});
        case 2: return run(std::integral_constant<int, 2>{});
        case 3: return run(std::integral_constant<int, 3>{});
        case 4: return run(std::integral_constant<int, 4>{});
        default: return run(channels);
    }
}

void corner_values(const D3dAttributes& attributes, int64_t face, const float* (&corners)[3]) {
    for (int i = 0; i < 3; i++)
        corners[i] = attributes.values + int64_t(attributes.indices[3 * face + i]) * attributes.channels;
}

}  // namespace

int32_t d3d_interpolate(const D3dAttributes* attributes, const D3dSpots* spots, float* out, const D3dLaunch* launch) {
    with_channels(attributes->channels, [&](auto channels) {
#pragma omp parallel for num_threads(launch->threads) schedule(static)
        for (int64_t spot = 0; spot < spots->count; spot++) {
            float* value = out + spot * channels;
            const float* b = spots->barycentric + 3 * spot;
            int64_t face = spots->triangle[spot];
            if (face < 0) {
                for (int c = 0; c < channels; c++) value[c] = 0;
                continue;
            }
            const float* corners[3];
            corner_values(*attributes, face, corners);
            for (int c = 0; c < channels; c++)
                value[c] = b[0] * corners[0][c] + b[1] * corners[1][c] + b[2] * corners[2][c];
        }
    });
    return D3D_OK;
}

int64_t d3d_interpolate_gradient_bytes(const D3dAttributes* attributes, const D3dSpots* spots,
                                       const D3dLaunch* launch) {
    return Work(*attributes, *spots, *launch, nullptr).bytes(*attributes);
}

int32_t d3d_interpolate_gradient(const D3dAttributes* attributes, const D3dSpots* spots, const float* by_out,
                                 float* by_values, float* by_barycentric, void* memory, const D3dLaunch* launch) {
    Work work(*attributes, *spots, *launch, memory);
    if (work.spots.too_many() || work.corners.too_many()) return D3D_TOO_MANY_PAIRS;
    std::fill_n(by_barycentric, 3 * spots->count, 0.f);
    work.spots.sort([&](int64_t spot) { return spots->triangle[spot]; });
    with_channels(attributes->channels, [&](auto channels) {
        work.spots.for_each([&](int64_t face, const int32_t* from, const int32_t* end) {
            float* sums = work.by_corner + 3 * face * channels;
            std::fill_n(sums, 3 * int(channels), 0.f);
            const float* corners[3];
            corner_values(*attributes, face, corners);
            for (; from < end; from++) {
                const float* by = by_out + int64_t(*from) * channels;
                for (int i = 0; i < 3; i++) {
                    float b = spots->barycentric[3 * int64_t(*from) + i], along = 0;
                    for (int c = 0; c < channels; c++) {
                        sums[i * channels + c] += b * by[c];
                        along += corners[i][c] * by[c];
                    }
                    by_barycentric[3 * int64_t(*from) + i] = along;
                }
            }
        });
    });
    work.corners.sort([&](int64_t corner) { return attributes->indices[corner]; });
    add_corners(work.corners, attributes->channels, work.by_corner, by_values);
    return D3D_OK;
}
