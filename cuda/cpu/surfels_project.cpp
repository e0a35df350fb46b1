// From surfels to their planes and bounds in each picture, and how many tiles each bound meets.

#include "surfels.h"

using namespace d3d;

namespace {

bool finite_colours(const D3dSurfels& g, int64_t view, int64_t surfel) {
    const float* colour = colour_of(g, view, surfel);
    float sum = 0;
    for (int channel = 0; channel < g.channels; channel++) sum += colour[channel] - colour[channel];
    return sum == 0;
}

Surfel<float> in_lane(const Surfel<Wide>& s, int lane) {
    return {s.x[lane],
            s.y[lane],
            {s.inverse[0][lane], s.inverse[1][lane], s.inverse[2][lane], s.inverse[3][lane]},
            {s.k[0][lane], s.k[1][lane]},
            s.depth[lane],
            s.inverse_depth[lane],
            s.opacity[lane],
            {s.normal[0][lane], s.normal[1][lane], s.normal[2][lane]}};
}

Splat<float> in_lane(const Splat<Wide>& s, int lane) {
    return {s.x[lane],       s.y[lane],      s.a[lane],       s.b[lane],       s.c[lane],
            s.opacity[lane], s.cutoff[lane], s.reach_x[lane], s.reach_y[lane], s.depth[lane]};
}

// Projects LANES surfels of one view and returns through `visit(surfel, bound)` those that are drawn.
template <class Visit>
void project_some(const D3dSurfels& g, const Camera<float>& camera, int64_t view, int64_t first, int64_t end,
                  const D3dFootprints& footprints, Visit visit) {
    Wide probe_x{}, probe_y{};
    if (g.probe) {
        probe_x = gather(g.probe + 2 * view * g.count, first, g.count, 2, 0);
        probe_y = gather(g.probe + 2 * view * g.count, first, g.count, 2, 1);
    }
    SurfelFootprint<Wide> f = project(gather_shapes(g, first), camera, probe_x, probe_y);
    Splat<float>* bounds = reinterpret_cast<Splat<float>*>(footprints.splats) + view * g.count;
    for (int lane = 0; lane < LANES && first + lane < end; lane++) {
        int64_t surfel = first + lane;
        bool drawn = f.drawn[lane] && finite_colours(g, view, surfel);
        footprints.radius_px[view * g.count + surfel] = drawn ? f.radius[lane] : 0;
        if (!drawn) continue;
        surfels_of(footprints, view, g.count)[surfel] = in_lane(f.surfel, lane);
        bounds[surfel] = in_lane(f.bound, lane);
        visit(surfel, bounds[surfel]);
    }
}

}  // namespace

int32_t d3d_surfels_project(const D3dCameras* cameras, const D3dSurfels* g, const D3dFootprints* footprints,
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
        int32_t* slots = footprints->first_slot + view * g->count;
        int32_t* counts = histogram + part * tiles.count();
        std::fill_n(counts, tiles.count(), 0);
        std::fill(slots + parts.first(part), slots + end, 0);
        for (int64_t first = parts.first(part); first < end; first += LANES)
            project_some(*g, camera, view, first, end, *footprints, [&](int64_t surfel, const Splat<float>& bound) {
                for_each_tile(bound, tiles, [&](int tile) { counts[tile]++, slots[surfel]++; });
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
