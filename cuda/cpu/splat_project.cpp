// From Gaussians to footprints, what each camera sees of them, and how many tiles each footprint meets.

#include "d3d/facing.h"
#include "footprints.h"
#include "layers.h"

using namespace d3d;

namespace {

bool all_finite(const float* values, int64_t count) {
    float sum = 0;
    for (int64_t i = 0; i < count; i++) sum += values[i] - values[i];
    return sum == 0;
}

// Projects the Gaussians of one view, LANES at a time.
struct Projector {
    const D3dGaussians& g;
    const D3dSplatValues& v;
    Camera<float> camera;
    int64_t view;
    Splat<float>* splats;
    float *seen, *radius_px;

    Projector(const D3dCameras& cameras, const D3dGaussians& g, const D3dSplatValues& v, const D3dFootprints& f,
              int64_t view)
        : g(g), v(v), camera(camera_of<float>(cameras, view)), view(view),
          splats(reinterpret_cast<Splat<float>*>(f.splats) + view * g.count),
          seen(f.seen + view * g.count * seen_floats(v)), radius_px(f.radius_px + view * g.count) {}

    bool finite_values(int64_t splat) const {
        return all_finite(v.sh + splat * v.harmonics * 3, v.harmonics * 3) &&
               all_finite(v.colours + view * v.view_stride + splat * v.channels, v.channels);
    }

    void see(const Gaussian<Wide>& gaussians, Wide depth, int64_t first, float (&out)[7][LANES]) const {
        store(out[0], depth);
        if (v.harmonics) {
            Sight<Wide> s = sight(gaussians.mean, camera);
            Wide value[HARMONICS_MAX], rgb[3];
            harmonics(s.unit[0], s.unit[1], s.unit[2], v.harmonics, value);
            radiance(value, v.harmonics,
                     [&](int k, int colour) { return gather(v.sh, first, g.count, 3 * v.harmonics, 3 * k + colour); },
                     rgb);
            for (int i = 0; i < 3; i++) store(out[1 + i], greater(rgb[i], Wide{}));
        }
        if (v.normals) {
            Wide chosen[3], facing[3];
            normal(gaussians, camera, chosen, facing);
            for (int i = 0; i < 3; i++) store(out[seen_floats(v) - 3 + i], facing[i]);
        }
    }

    // Calls visit(splat) for those of the LANES Gaussians from `first` on that are drawn.
    template <class Visit>
    void project_some(int64_t first, int64_t end, Visit visit) const {
        Gaussian<Wide> gaussians = gather_gaussians(g, first);
        Wide probe_x{}, probe_y{};
        if (g.probe) {
            probe_x = gather(g.probe + 2 * view * g.count, first, g.count, 2, 0);
            probe_y = gather(g.probe + 2 * view * g.count, first, g.count, 2, 1);
        }
        Footprint<Wide> f = project(gaussians, camera, probe_x, probe_y, g.blur, g.antialiased != 0);
        alignas(64) float shown[7][LANES];
        bool looked = false;
        for (int lane = 0; lane < LANES && first + lane < end; lane++) {
            int64_t splat = first + lane;
            bool drawn = f.drawn[lane] && finite_values(splat);
            radius_px[splat] = drawn ? f.radius[lane] : 0;
            if (!drawn) continue;
            if (!looked) see(gaussians, f.depth, first, shown), looked = true;
            for (int i = 0; i < seen_floats(v); i++) seen[splat * seen_floats(v) + i] = shown[i][lane];
            splats[splat] = {f.x[lane],       f.y[lane],      f.a[lane],       f.b[lane],       f.c[lane],
                             f.opacity[lane], f.cutoff[lane], f.reach_x[lane], f.reach_y[lane], f.depth[lane]};
            visit(splat);
        }
    }
};

// Turns the counts of part `part` into running sums that begin at `start`.
void running_sums(const Parts& parts, int64_t part, int64_t start, int32_t* slots) {
    slots += parts.view(part) * parts.primitives;
    for (int64_t splat = parts.first(part); splat < parts.end(part); splat++) {
        int32_t touched = slots[splat];
        slots[splat] = int32_t(start);
        start += touched;
    }
}

}  // namespace

int32_t d3d_splat_tile_px(void) { return TILE; }

int32_t d3d_splat_seen_floats(const D3dSplatValues* values) { return seen_floats(*values); }

// One count for each tile of each part, and behind them each part's first slot.
int64_t d3d_splat_histogram_bytes(const D3dCameras* cameras, int64_t count, const D3dLaunch* launch) {
    Parts parts(cameras->views, count, *launch);
    int64_t counts = histogram_ints(parts, Tiles(*cameras, TILE));
    return (counts + counts % 2) * int64_t(sizeof(int32_t)) + parts.count() * int64_t(sizeof(int64_t));
}

int32_t d3d_splat_project(const D3dCameras* cameras, const D3dGaussians* g, const D3dSplatValues* values,
                          const D3dFootprints* footprints, void* histogram_memory, int64_t* needed,
                          const D3dLaunch* launch) {
    Tiles tiles(*cameras, TILE);
    Parts parts(cameras->views, g->count, *launch);
    int32_t* histogram = static_cast<int32_t*>(histogram_memory);
    int64_t counts = histogram_ints(parts, tiles);
    int64_t* pairs_of_part = reinterpret_cast<int64_t*>(histogram + counts + counts % 2);
    int64_t footprint_count = cameras->views * g->count;
    *needed = 0;
    if (footprint_count >= INT32_MAX) return D3D_TOO_MANY_PAIRS;

#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, 1)
    for (int64_t part = 0; part < parts.count(); part++) {
        int64_t end = parts.end(part), pairs = 0;
        Projector projector(*cameras, *g, *values, *footprints, parts.view(part));
        int32_t* slots = footprints->first_slot + parts.view(part) * g->count;
        int32_t* counted = histogram + part * tiles.count();
        std::fill_n(counted, tiles.count(), 0);
        std::fill(slots + parts.first(part), slots + end, 0);
        for (int64_t first = parts.first(part); first < end; first += LANES)
            projector.project_some(first, end, [&](int64_t splat) {
                for_each_tile(projector.splats[splat], tiles, [&](int tile) { counted[tile]++, slots[splat]++; });
                pairs += slots[splat];
            });
        pairs_of_part[part] = pairs;
    }

    int64_t total = 0;
    for (int64_t part = 0; part < parts.count(); part++) {
        int64_t pairs = pairs_of_part[part];
        pairs_of_part[part] = total;
        total += pairs;
    }
    if (total > INT32_MAX) return D3D_TOO_MANY_PAIRS;
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t part = 0; part < parts.count(); part++)
        running_sums(parts, part, pairs_of_part[part], footprints->first_slot);
    footprints->first_slot[footprint_count] = int32_t(total);
    *needed = total;
    return D3D_OK;
}
