// Items by bucket, in their own order: a counting sort whose result does not depend on the number of threads.
//
// It is how gradients are scattered here: pixels to faces, corners to vertices, samples to texels. Each bucket is
// summed by one thread, item after item, so no two threads ever add to one number.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "d3d/abi.h"

namespace d3d {

class Groups {
public:
    Groups(int64_t items, int64_t buckets, const D3dLaunch& launch, void* memory = nullptr)
        : items(items), buckets(buckets), parts(std::max(launch.threads, 1)), start(static_cast<int32_t*>(memory)),
          order(start + buckets + 1), counts(order + items) {}

    bool too_many() const { return items > INT32_MAX || buckets > INT32_MAX; }
    int64_t bytes() const { return (buckets + 1 + items + parts * buckets) * int64_t(sizeof(int32_t)); }
    void* after() const { return reinterpret_cast<char*>(start) + bytes(); }

    // key(item) is the item's bucket, or negative for none.
    template <class Key>
    void sort(Key key) {
#pragma omp parallel for num_threads(parts) schedule(static, 1)
        for (int64_t part = 0; part < parts; part++) {
            int32_t* mine = counts + part * buckets;
            std::fill_n(mine, buckets, 0);
            for (int64_t item = first(part); item < first(part + 1); item++)
                if (int64_t bucket = key(item); bucket >= 0) mine[bucket]++;
        }
        turn_counts_into_places();
#pragma omp parallel for num_threads(parts) schedule(static, 1)
        for (int64_t part = 0; part < parts; part++) {
            int32_t* place = counts + part * buckets;
            for (int64_t item = first(part); item < first(part + 1); item++)
                if (int64_t bucket = key(item); bucket >= 0) order[place[bucket]++] = int32_t(item);
        }
    }

    // visit(bucket, its first item, one past its last), every bucket in some thread.
    template <class Visit>
    void for_each(Visit visit) const {
#pragma omp parallel for num_threads(parts) schedule(dynamic, 512)
        for (int64_t bucket = 0; bucket < buckets; bucket++)
            visit(bucket, order + start[bucket], order + start[bucket + 1]);
    }

private:
    int64_t items, buckets, parts;
    int32_t *start, *order, *counts;

    int64_t first(int64_t part) const { return items * part / parts; }

    void turn_counts_into_places() {
        int32_t place = 0;
        for (int64_t bucket = 0; bucket < buckets; bucket++) {
            start[bucket] = place;
            for (int64_t part = 0; part < parts; part++) {
                int32_t counted = counts[part * buckets + bucket];
                counts[part * buckets + bucket] = place;
                place += counted;
            }
        }
        start[buckets] = place;
    }
};

// Sums rows of `width` numbers at corners into rows at vertices; `corners` has corners by vertex.
inline void add_corners(const Groups& corners, int width, const float* at_corners, float* at_vertices) {
    corners.for_each([&](int64_t vertex, const int32_t* from, const int32_t* end) {
        float* sum = at_vertices + vertex * width;
        std::fill_n(sum, width, 0.f);
        for (; from < end; from++)
            for (int i = 0; i < width; i++) sum[i] += at_corners[int64_t(*from) * width + i];
    });
}

}  // namespace d3d
