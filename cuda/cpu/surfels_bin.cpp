// From surfels to each tile's list of them, front to back.

#include "surfels_tiles.h"

using namespace d3d;
using namespace d3d::surfels;

namespace {

bool finite_colours(const D3dSurfels& g, int64_t view, int64_t surfel) {
    const float* colour = colour_of(g, view, surfel);
    float sum = 0;
    for (int channel = 0; channel < g.channels; channel++) sum += colour[channel] - colour[channel];
    return sum == 0;
}

Record record_in_lane(const SurfelFootprint<Wide>& f, int lane) {
    const Surfel<Wide>& s = f.surfel;
    const Bound<Wide>& b = f.bound;
    return {{s.x[lane],
             s.y[lane],
             {s.inverse[0][lane], s.inverse[1][lane], s.inverse[2][lane], s.inverse[3][lane]},
             {s.k[0][lane], s.k[1][lane]},
             s.depth[lane],
             s.inverse_depth[lane],
             s.opacity[lane],
             {s.normal[0][lane], s.normal[1][lane], s.normal[2][lane]}},
            {b.x[lane], b.y[lane], b.a[lane], b.b[lane], b.c[lane], b.reach_x[lane], b.reach_y[lane]}};
}

// Projects LANES surfels of one view and returns through `visit(surfel)` those that are drawn.
template <class Visit>
void project_some(const D3dSurfels& g, const Camera<float>& camera, int64_t view, int64_t first, int64_t end,
                  Record* records, float* radius_px, Visit visit) {
    Wide probe_x{}, probe_y{};
    if (g.probe) {
        probe_x = gather(g.probe + 2 * view * g.count, first, g.count, 2, 0);
        probe_y = gather(g.probe + 2 * view * g.count, first, g.count, 2, 1);
    }
    SurfelFootprint<Wide> f = project(gather_shapes(g, first), camera, probe_x, probe_y);
    for (int lane = 0; lane < LANES && first + lane < end; lane++) {
        int64_t surfel = first + lane;
        bool drawn = f.drawn[lane] && finite_colours(g, view, surfel);
        radius_px[surfel] = drawn ? f.radius[lane] : 0;
        if (!drawn) continue;
        records[surfel] = record_in_lane(f, lane);
        visit(surfel);
    }
}

struct Meeting {
    uint32_t depth;  // the bits of a positive float, which order as the float does
    int32_t surfel, slot;
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

int32_t d3d_surfels_tile_px(void) { return TILE; }

int64_t d3d_surfels_histogram_bytes(const D3dCameras* cameras, int64_t count, const D3dLaunch* launch) {
    return histogram_ints(Parts(cameras->views, count, *launch), Tiles(*cameras, TILE)) * int64_t(sizeof(int32_t));
}

int32_t d3d_surfels_project(const D3dCameras* cameras, const D3dSurfels* g, const D3dSurfelFootprints* footprints,
                            void* histogram_memory, int64_t* needed, const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    Parts parts(cameras->views, g->count, *launch);
    int32_t* histogram = static_cast<int32_t*>(histogram_memory);
    int64_t footprint_count = cameras->views * g->count;
    *needed = 0;
    if (footprint_count >= INT32_MAX) return D3D_TOO_MANY_PAIRS;

#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, 1)
    for (int64_t part = 0; part < parts.count(); part++) {
        int64_t view = parts.view(part), end = parts.end(part);
        Camera<float> camera = camera_of<float>(*cameras, view);
        Record* records = records_of(*footprints, view, g->count);
        float* radius_px = footprints->radius_px + view * g->count;
        int32_t* slots = footprints->first_slot + view * g->count;
        int32_t* counts = histogram + part * tiles.count();
        std::fill_n(counts, tiles.count(), 0);
        std::fill(slots + parts.first(part), slots + end, 0);
        for (int64_t first = parts.first(part); first < end; first += LANES)
            project_some(*g, camera, view, first, end, records, radius_px, [&](int64_t surfel) {
                for_each_tile(records[surfel].bound, tiles, [&](int tile) { counts[tile]++, slots[surfel]++; });
            });
    }

    int64_t slot = 0;
    for (int64_t i = 0; i < footprint_count; i++) {
        int32_t touched = footprints->first_slot[i];
        footprints->first_slot[i] = int32_t(slot);
        slot += touched;
        if (slot > INT32_MAX) return D3D_TOO_MANY_PAIRS;
    }
    footprints->first_slot[footprint_count] = int32_t(slot);
    *needed = slot;
    return D3D_OK;
}

int64_t d3d_surfels_bin_bytes(const D3dCameras*, int64_t, int64_t capacity, const D3dLaunch*) {
    return 2 * capacity * int64_t(sizeof(Meeting));
}

int32_t d3d_surfels_bin(const D3dCameras* cameras, int64_t count, const D3dSurfelFootprints* footprints,
                        void* histogram_memory, const D3dSurfelPairs* pairs, void* workspace,
                        const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    Parts parts(cameras->views, count, *launch);
    int32_t* histogram = static_cast<int32_t*>(histogram_memory);
    Meeting* meetings = static_cast<Meeting*>(workspace);
    Meeting* scratch = meetings + pairs->capacity;
    if (*pairs->needed > pairs->capacity) {
        std::fill_n(pairs->tile_start, cameras->views * tiles.count() + 1, 0);
        return D3D_OK;
    }
    starts_from_counts(parts, tiles, histogram, pairs->tile_start);

#pragma omp parallel num_threads(launch->threads)
    {
#pragma omp for schedule(dynamic, 1)
        for (int64_t part = 0; part < parts.count(); part++) {
            int64_t view = parts.view(part);
            const Record* records = records_of(*footprints, view, count);
            const int32_t* slots = footprints->first_slot + view * count;
            int32_t* place = histogram + part * tiles.count();
            for (int64_t surfel = parts.first(part); surfel < parts.end(part); surfel++) {
                int32_t slot = slots[surfel];
                if (slot == slots[surfel + 1]) continue;
                uint32_t depth;
                std::memcpy(&depth, &records[surfel].surfel.depth, sizeof depth);
                for_each_tile(records[surfel].bound, tiles,
                              [&](int tile) { meetings[place[tile]++] = {depth, int32_t(surfel), slot++}; });
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
                pairs->pairs[2 * (int64_t(first) + i)] = sorted[i].surfel;
                pairs->pairs[2 * (int64_t(first) + i) + 1] = sorted[i].slot;
            }
        }
    }
    return D3D_OK;
}
