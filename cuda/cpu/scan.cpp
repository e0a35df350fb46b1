// Running sums and products along rays.

#include "d3d/scan.h"

#include <algorithm>

#include "d3d/abi_march.h"

using namespace d3d;

namespace {

template <class Kind>
void scan(bool exclusive, int64_t first, int64_t end, const float* values, float* results) {
    float all = Kind::template start<float>();
    for (int64_t i = first; i < end; i++) {
        float with = Kind::join(all, values[i]);
        results[i] = exclusive ? all : with;
        all = with;
    }
}

// First the exclusive scan, in place of the result; then back along the ray.
template <class Kind>
void scan_gradient(bool exclusive, int64_t first, int64_t end, const float* values, const float* by_results,
                   float* by_values) {
    scan<Kind>(true, first, end, values, by_values);
    float after = 0;
    for (int64_t i = end - 1; i >= first; i--) {
        if (!exclusive) after += by_results[i];
        by_values[i] = Kind::gradient(by_values[i], after);
        after = Kind::carry(values[i], after);
        if (exclusive) after += by_results[i];
    }
}

}  // namespace

int32_t d3d_scan(int32_t kind, int32_t exclusive, int64_t rays, int64_t capacity, const int32_t* offsets,
                 const float* values, float* results, const D3dLaunch* launch) {
    auto run = kind == D3D_SUM ? scan<Sum> : scan<Product>;
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, 256)
    for (int64_t ray = 0; ray < rays; ray++) run(exclusive, offsets[ray], offsets[ray + 1], values, results);
    std::fill(results + offsets[rays], results + capacity, 0.f);
    return D3D_OK;
}

int32_t d3d_scan_gradient(int32_t kind, int32_t exclusive, int64_t rays, int64_t capacity, const int32_t* offsets,
                          const float* values, const float* by_results, float* by_values, const D3dLaunch* launch) {
    auto run = kind == D3D_SUM ? scan_gradient<Sum> : scan_gradient<Product>;
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, 256)
    for (int64_t ray = 0; ray < rays; ray++)
        run(exclusive, offsets[ray], offsets[ray + 1], values, by_results, by_values);
    std::fill(by_values + offsets[rays], by_values + capacity, 0.f);
    return D3D_OK;
}
