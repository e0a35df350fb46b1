// A ray through an occupancy grid, stretch by stretch. The definition is march_reference.march.
// Source: Müller et al. 2022, Instant Neural Graphics Primitives (arXiv 2201.05989), appendix E.1.
#pragma once

#include "abi_march.h"
#include "lane.h"

namespace d3d {

struct Ray {
    float origin[3], direction[3];
    float first, last;  // where the march begins and ends; first >= last: nowhere
    float jitter;
    float speed;        // the direction's length
};

// Cuts the ray to [-extent, extent]³.
D3D_INLINE void cut(Ray& ray, float extent) {
    for (int axis = 0; axis < 3; axis++) {
        float o = ray.origin[axis], d = ray.direction[axis];
        if (d == 0) {
            if (!(o >= -extent && o <= extent)) ray.last = -1;
            continue;
        }
        float inverse = 1 / d, a = (-extent - o) * inverse, b = (extent - o) * inverse;
        ray.first = greater(lesser(a, b), ray.first);
        ray.last = lesser(greater(a, b), ray.last);
    }
}

D3D_INLINE Ray ray_of(const D3dRays& rays, const D3dOccupancy& grid, int64_t index) {
    Ray ray;
    float sum = 0;
    for (int axis = 0; axis < 3; axis++) {
        ray.origin[axis] = rays.origins[3 * index + axis];
        ray.direction[axis] = rays.directions[3 * index + axis];
        sum += ray.origin[axis];
    }
    const float(&d)[3] = ray.direction;
    ray.speed = square_root(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    ray.jitter = rays.jitter[index];
    ray.first = greater(rays.near[index], 0.f), ray.last = rays.far[index];
    sum += ray.speed + rays.near[index] + ray.jitter;
    if (!finite(sum) || !(ray.speed > 0)) ray.last = -1;
    cut(ray, grid.extent * float(1 << (grid.levels - 1)));
    return ray;
}

// A number of the lane's type cut to a whole one.
D3D_INLINE int32_t truncate(float x) { return int32_t(x); }
#if !defined(__CUDACC__)
D3D_INLINE WideMask truncate(Wide x) { return __builtin_convertvector(x, WideMask); }
#endif

// Where a point is in the grid.
template <class F>
struct Cell {
    F half;      // the level covers [-half, half]³
    F level;
    F at[3];     // the whole part counts
};

template <class F>
D3D_INLINE Cell<F> cell_of(const D3dOccupancy& grid, const F (&point)[3]) {
    F size{};
    for (int axis = 0; axis < 3; axis++) size = greater(size, greater(point[axis], -point[axis]));
    Cell<F> cell{fill<F>(grid.extent), F{}, {}};
    F scale = fill<F>(0.5f * grid.cells / grid.extent);
    for (int level = 0; level < grid.levels - 1; level++) {
        Mask<F> outside = size > cell.half;
        cell.level = select(outside, cell.level + 1, cell.level);
        cell.half = select(outside, 2 * cell.half, cell.half);
        scale = select(outside, 0.5f * scale, scale);
    }
    for (int axis = 0; axis < 3; axis++) {
        F at = (point[axis] + cell.half) * scale;
        cell.at[axis] = lesser(greater(at, F{}), fill<F>(float(grid.cells) - 0.5f));
    }
    return cell;
}

// Its place in the table, for tables of less than 2^31 cells.
template <class F>
D3D_INLINE auto index_of(const D3dOccupancy& grid, const Cell<F>& cell) {
    auto row = (truncate(cell.level) * grid.cells + truncate(cell.at[2])) * grid.cells + truncate(cell.at[1]);
    return row * grid.cells + truncate(cell.at[0]);
}

// Where the ray leaves the cell.
D3D_INLINE float exit_of(const Ray& ray, const Cell<float>& cell, int cells) {
    float leaves = ray.last, width = 2 * cell.half / cells;
    for (int axis = 0; axis < 3; axis++) {
        float d = ray.direction[axis];
        if (d == 0) continue;
        float wall = float(truncate(cell.at[axis]) + (d > 0)) * width - cell.half;
        leaves = lesser(leaves, (wall - ray.origin[axis]) / d);
    }
    return leaves;
}

D3D_INLINE float stretch_at(const Ray& ray, const D3dSteps& steps, float t) {
    return lesser(greater(steps.cone * t * ray.speed, steps.step), steps.longest) / ray.speed;
}

// Calls visit(start, end, point) for each sample of the ray, and returns how many there are. In empty cells the
// stretches whose middles are certainly inside are passed over, which changes nothing but the time.
template <class Visit>
D3D_INLINE int march(const Ray& ray, const D3dOccupancy& grid, const D3dSteps& steps, int limit, Visit visit) {
    int count = 0;
    if (!(ray.first < ray.last)) return 0;
    float stretch = stretch_at(ray, steps, ray.first), travelled = ray.jitter * stretch;
    float start = ray.first + travelled;
    stretch = stretch_at(ray, steps, start);
    int i = 0;
    while (start < ray.last && count < limit) {
        float end = lesser(start + stretch, ray.last), middle = 0.5f * (start + end), point[3];
        for (int axis = 0; axis < 3; axis++) point[axis] = ray.origin[axis] + middle * ray.direction[axis];
        Cell<float> cell = cell_of(grid, point);
        int passed = 1;
        if (grid.occupied[index_of(grid, cell)]) {
            visit(start, end, point);
            count++;
        } else if (steps.cone == 0) {
            float until = (exit_of(ray, cell, grid.cells) - ray.first) / stretch - ray.jitter - 0.5f;
            int next = int(lesser(until, 2e9f));
            passed = next - i > 1 ? next - i : 1;
        }
        i += passed;
        if (steps.cone == 0) {
            start = ray.first + (float(i) + ray.jitter) * stretch;
        } else {
            travelled += stretch;  // as long as the box at most, so that no step is lost in rounding
            start = ray.first + travelled;
            stretch = stretch_at(ray, steps, start);
        }
    }
    return count;
}

}  // namespace d3d
