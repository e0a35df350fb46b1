// Rays through an occupancy grid: a warp walks along each ray, each lane at a stretch of its own.

#include "d3d/march.h"

#include "device.h"
#include "primitives.h"
#include "warp.h"

using namespace d3d;

namespace {

constexpr int THREADS = 256;

struct Stretch {
    bool seen;
    float start, end, point[3];
};

// Stretch i of a ray whose stretches are all of one length.
__device__ Stretch stretch_of(const Ray& ray, const D3dOccupancy& grid, float length, int i) {
    Stretch s;
    s.start = ray.first + (float(i) + ray.jitter) * length;
    s.end = lesser(s.start + length, ray.last);
    float middle = 0.5f * (s.start + s.end);
    for (int axis = 0; axis < 3; axis++) s.point[axis] = ray.origin[axis] + middle * ray.direction[axis];
    s.seen = s.start < ray.last && grid.occupied[index_of(grid, cell_of(grid, s.point))];
    return s;
}

__device__ void write(const D3dSamples& samples, int64_t at, float start, float end, const float* point, int64_t ray) {
    samples.starts[at] = start, samples.ends[at] = end;
    for (int axis = 0; axis < 3; axis++) samples.points[3 * at + axis] = point[axis];
    samples.rays[at] = int32_t(ray);
}

// Calls visit(stretch, place among the ray's samples) for each sample; returns how many there are. For whole warps.
template <class Visit>
__device__ int march_evenly(const Ray& ray, const D3dOccupancy& grid, const D3dSteps& steps, int limit, Visit visit) {
    if (!(ray.first < ray.last)) return 0;
    const float length = stretch_at(ray, steps, ray.first);
    int count = 0;
    for (int first = 0; count < limit && ray.first + (float(first) + ray.jitter) * length < ray.last; first += WARP) {
        Stretch s = stretch_of(ray, grid, length, first + lane_of_warp());
        unsigned seen = __ballot_sync(ALL_LANES, s.seen);
        int place = count + __popc(seen & ((1u << lane_of_warp()) - 1));
        if (s.seen && place < limit) visit(s, place);
        count += __popc(seen);
    }
    return count < limit ? count : limit;
}

__global__ void count_evenly(D3dRays rays, D3dOccupancy grid, D3dSteps steps, int64_t* counts) {
    int64_t i = thread_of_grid() / WARP;
    if (i >= rays.count) return;  // the whole warp
    int count = march_evenly(ray_of(rays, grid, i), grid, steps, steps.limit, [](const Stretch&, int) {});
    if (lane_of_warp() == 0) counts[i] = count;
}

__global__ void count_in_cone(D3dRays rays, D3dOccupancy grid, D3dSteps steps, int64_t* counts) {
    int64_t i = thread_of_grid();
    if (i < rays.count)
        counts[i] = march(ray_of(rays, grid, i), grid, steps, steps.limit, [](float, float, const float*) {});
}

__global__ void offsets_from_sums(int64_t rays, int64_t capacity, const int64_t* sums, int32_t* offsets,
                                  int64_t* needed) {
    int64_t i = thread_of_grid();
    if (i > rays) return;
    offsets[i] = int32_t(sums[i] < capacity ? sums[i] : capacity);
    if (i == rays) *needed = sums[i];
}

__global__ void write_evenly(D3dRays rays, D3dOccupancy grid, D3dSteps steps, D3dSamples samples) {
    int64_t i = thread_of_grid() / WARP;
    if (i >= rays.count) return;  // the whole warp
    int64_t first = samples.offsets[i];
    march_evenly(ray_of(rays, grid, i), grid, steps, int(samples.offsets[i + 1] - first),
                 [&](const Stretch& s, int place) { write(samples, first + place, s.start, s.end, s.point, i); });
}

__global__ void write_in_cone(D3dRays rays, D3dOccupancy grid, D3dSteps steps, D3dSamples samples) {
    int64_t i = thread_of_grid();
    if (i >= rays.count) return;
    int64_t at = samples.offsets[i];
    march(ray_of(rays, grid, i), grid, steps, int(samples.offsets[i + 1] - at),
          [&](float start, float end, const float* point) { write(samples, at++, start, end, point, i); });
}

struct Workspace {
    Arena arena;
    int64_t* counts;
    void* scratch;

    Workspace(void* memory, int64_t rays)
        : arena(memory), counts(arena.take<int64_t>(rays + 1)),
          scratch(arena.take<char>(running_sum_bytes<int64_t>(rays + 1))) {}
};

}  // namespace

int64_t d3d_march_count_bytes(int64_t rays) { return Workspace(nullptr, rays).arena.bytes(); }

int32_t d3d_march_count(const D3dRays* rays, const D3dOccupancy* grid, const D3dSteps* steps, int64_t capacity,
                        int32_t* offsets, int64_t* needed, void* workspace, const D3dLaunch* launch) {
    Stream stream(*launch);
    Workspace work(workspace, rays->count);
    stream.zero(work.counts + rays->count, sizeof(int64_t));
    if (steps->cone > 0)
        stream.run(count_in_cone, Grid::over(rays->count, THREADS), *rays, *grid, *steps, work.counts);
    else
        stream.run(count_evenly, Grid::over(rays->count * WARP, THREADS), *rays, *grid, *steps, work.counts);
    running_sum<int64_t>(stream, {work.counts, work.counts}, rays->count + 1, work.scratch);
    stream.run(offsets_from_sums, Grid::over(rays->count + 1, THREADS), rays->count, capacity, work.counts, offsets,
               needed);
    return stream.status();
}

int32_t d3d_march_write(const D3dRays* rays, const D3dOccupancy* grid, const D3dSteps* steps,
                        const D3dSamples* samples, const D3dLaunch* launch) {
    Stream stream(*launch);
    const int64_t bytes = samples->capacity * int64_t(sizeof(float));
    stream.zero(samples->starts, bytes);
    stream.zero(samples->ends, bytes);
    stream.zero(samples->points, 3 * bytes);
    stream.zero(samples->rays, bytes);
    if (steps->cone > 0)
        stream.run(write_in_cone, Grid::over(rays->count, THREADS), *rays, *grid, *steps, *samples);
    else
        stream.run(write_evenly, Grid::over(rays->count * WARP, THREADS), *rays, *grid, *steps, *samples);
    return stream.status();
}
