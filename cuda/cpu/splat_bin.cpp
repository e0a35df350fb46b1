// From footprints to each tile's list of splats, front to back.

#include "footprints.h"

using namespace d3d;

namespace {

struct Meeting {
    uint32_t depth;  // the bits of a positive float, which order as the float does
    int32_t splat, slot;
};

// A stable radix sort by depth, byte by byte; bytes in which all depths agree are passed over.
// Returns where the sorted meetings ended up, `from` or `to`.
Meeting* sort_by_depth(Meeting* from, Meeting* to, int count) {
    int32_t places[4][256] = {};
    for (int i = 0; i < count; i++)
        for (int byte = 0; byte < 4; byte++) places[byte][from[i].depth >> 8 * byte & 255]++;
    for (int byte = 0; byte < 4; byte++) {
        int32_t(&place)[256] = places[byte];
        if (place[from[0].depth >> 8 * byte & 255] == count) continue;
        int32_t start = 0;
        for (int32_t& value : place) {
            int32_t counted = value;
            value = start;
            start += counted;
        }
        for (int i = 0; i < count; i++) to[place[from[i].depth >> 8 * byte & 255]++] = from[i];
        std::swap(from, to);
    }
    return from;
}

void insertion_sort_by_depth(Meeting* meetings, int count) {
    for (int i = 1; i < count; i++) {
        Meeting moving = meetings[i];
        int hole = i;
        for (; hole > 0 && meetings[hole - 1].depth > moving.depth; hole--) meetings[hole] = meetings[hole - 1];
        meetings[hole] = moving;
    }
}

constexpr int SHORT_LIST = 48;

}  // namespace

int64_t d3d_splat_bin_bytes(const D3dCameras*, int64_t, int64_t capacity, const D3dLaunch*) {
    return 2 * capacity * int64_t(sizeof(Meeting));
}

int32_t d3d_splat_bin(const D3dCameras* cameras, int64_t count, const D3dFootprints* footprints,
                      void* histogram_memory, const D3dPairs* pairs, void* workspace, const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    Parts parts(cameras->views, count, *launch);
    int32_t* histogram = static_cast<int32_t*>(histogram_memory);
    Meeting* meetings = static_cast<Meeting*>(workspace);
    Meeting* scratch = meetings + pairs->capacity;
    if (*pairs->needed > pairs->capacity) return D3D_TOO_MANY_PAIRS;
    starts_from_counts(parts, tiles, histogram, pairs->tile_start);

#pragma omp parallel num_threads(launch->threads)
    {
#pragma omp for schedule(dynamic, 1)
        for (int64_t part = 0; part < parts.count(); part++) {
            int64_t view = parts.view(part);
            const Splat<float>* splats = reinterpret_cast<const Splat<float>*>(footprints->splats) + view * count;
            const int32_t* slots = footprints->first_slot + view * count;
            int32_t* place = histogram + part * tiles.count();
            for (int64_t splat = parts.first(part); splat < parts.end(part); splat++) {
                int32_t slot = slots[splat];
                if (slot == slots[splat + 1]) continue;
                uint32_t depth;
                std::memcpy(&depth, &splats[splat].depth, sizeof depth);
                for_each_tile(splats[splat], tiles,
                              [&](int tile) { meetings[place[tile]++] = {depth, int32_t(splat), slot++}; });
            }
        }
#pragma omp for schedule(dynamic, 4)
        for (int64_t tile = 0; tile < cameras->views * tiles.count(); tile++) {
            int32_t first = pairs->tile_start[tile];
            int length = pairs->tile_start[tile + 1] - first;
            Meeting* sorted = meetings + first;
            if (length <= SHORT_LIST)
                insertion_sort_by_depth(sorted, length);
            else
                sorted = sort_by_depth(sorted, scratch + first, length);
            for (int i = 0; i < length; i++) {
                pairs->pairs[2 * (int64_t(first) + i)] = sorted[i].splat;
                pairs->pairs[2 * (int64_t(first) + i) + 1] = sorted[i].slot;
            }
        }
    }
    return D3D_OK;
}
