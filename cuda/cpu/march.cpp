// Rays through an occupancy grid: count, then write.

#include <algorithm>

#include "d3d/march.h"

using namespace d3d;

namespace {

constexpr int RAYS_AT_ONCE = 64;

// `march` for stretches that are all of one length, LANES of them at a time.
template <class Visit>
int march_evenly(const Ray& ray, const D3dOccupancy& grid, const D3dSteps& steps, int limit, Visit visit) {
    if (!(ray.first < ray.last)) return 0;
    const float stretch = stretch_at(ray, steps, ray.first);
    Wide lane;
    for (int i = 0; i < LANES; i++) lane[i] = float(i);
    int count = 0;
    for (int first = 0; count < limit; first += LANES) {
        Wide start = ray.first + (lane + (float(first) + ray.jitter)) * stretch;
        uint32_t left = lane_bits(start < ray.last);
        if (!left) break;
        Wide end = lesser(start + stretch, fill<Wide>(ray.last)), middle = 0.5f * (start + end), point[3];
        for (int axis = 0; axis < 3; axis++) point[axis] = ray.origin[axis] + middle * ray.direction[axis];
        WideMask index = index_of(grid, cell_of(grid, point));
        uint32_t occupied = 0;
        for (int i = 0; i < LANES; i++) occupied |= uint32_t(grid.occupied[index[i]]) << i;
        for (left &= occupied; left && count < limit; left &= left - 1, count++) visit(__builtin_ctz(left), start, end, point);
    }
    return count;
}

int count_of(const Ray& ray, const D3dOccupancy& grid, const D3dSteps& steps) {
    if (steps.cone > 0) return march(ray, grid, steps, steps.limit, [](float, float, const float*) {});
    return march_evenly(ray, grid, steps, steps.limit, [](int, const Wide&, const Wide&, const Wide*) {});
}

}  // namespace

int64_t d3d_march_count_bytes(int64_t) { return 0; }

int32_t d3d_march_count(const D3dRays* rays, const D3dOccupancy* grid, const D3dSteps* steps, int64_t capacity,
                        int32_t* offsets, int64_t* needed, void*, const D3dLaunch* launch) {
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, RAYS_AT_ONCE)
    for (int64_t i = 0; i < rays->count; i++)
        offsets[i + 1] = count_of(ray_of(*rays, *grid, i), *grid, *steps);
    int64_t total = 0;
    offsets[0] = 0;
    for (int64_t i = 1; i <= rays->count; i++) {
        total += offsets[i];
        offsets[i] = int32_t(std::min(total, capacity));
    }
    *needed = total;
    return D3D_OK;
}

int32_t d3d_march_write(const D3dRays* rays, const D3dOccupancy* grid, const D3dSteps* steps,
                        const D3dSamples* samples, const D3dLaunch* launch) {
    auto write = [&](int64_t at, float start, float end, float x, float y, float z, int64_t ray) {
        samples->starts[at] = start, samples->ends[at] = end;
        float* point = samples->points + 3 * at;
        point[0] = x, point[1] = y, point[2] = z;
        samples->rays[at] = int32_t(ray);
    };
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, RAYS_AT_ONCE)
    for (int64_t i = 0; i < rays->count; i++) {
        int64_t at = samples->offsets[i];
        int room = int(samples->offsets[i + 1] - at);
        if (room == 0) continue;
        Ray ray = ray_of(*rays, *grid, i);
        if (steps->cone > 0)
            march(ray, *grid, *steps, room, [&](float start, float end, const float* p) {
                write(at++, start, end, p[0], p[1], p[2], i);
            });
        else
            march_evenly(ray, *grid, *steps, room, [&](int lane, const Wide& start, const Wide& end, const Wide* p) {
                write(at++, start[lane], end[lane], p[0][lane], p[1][lane], p[2][lane], i);
            });
    }
    for (int64_t at = samples->offsets[rays->count]; at < samples->capacity; at++) write(at, 0, 0, 0, 0, 0, 0);
    return D3D_OK;
}
