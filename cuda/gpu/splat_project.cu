// Gaussians to footprints in every view, and how many tiles each meets.

#include "d3d/cameras.h"
#include "d3d/facing.h"
#include "splat_values.h"
#include "warp.h"

using namespace d3d;

namespace {

constexpr int THREADS = 128;

__device__ __forceinline__ bool all_finite(const float* values, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++) sum += values[i] - values[i];
    return sum == 0;
}

// Writes depth, radiance and normal.
__device__ void see(const Gaussian<float>& gaussian, const Camera<float>& camera, const D3dSplatValues& v,
                    int64_t splat, float depth, float* seen) {
    seen[0] = depth;
    if (v.harmonics) {
        Sight<float> s = sight(gaussian.mean, camera);
        float value[HARMONICS_MAX], rgb[3];
        harmonics(s.unit[0], s.unit[1], s.unit[2], v.harmonics, value);
        const float* sh = v.sh + splat * v.harmonics * 3;
        radiance(value, v.harmonics, [&](int k, int colour) { return sh[3 * k + colour]; }, rgb);
        for (int i = 0; i < 3; i++) seen[1 + i] = greater(rgb[i], 0.f);
    }
    if (v.normals) {
        float chosen[3], facing[3];
        normal(gaussian, camera, chosen, facing);
        for (int i = 0; i < 3; i++) seen[seen_floats(v) - 3 + i] = facing[i];
    }
}

// The tiles that the splat meets in the view; 0 where it is not drawn.
__device__ int project_one(const D3dCameras& cameras, const D3dGaussians& g, const D3dSplatValues& v,
                           const D3dFootprints& footprints, int64_t view, int64_t splat) {
    const int64_t at = view * g.count + splat;
    Gaussian<float> gaussian = gaussian_of(g, splat);
    Camera<float> camera = camera_of<float>(cameras, view);
    float probe_x = g.probe ? g.probe[2 * at] : 0, probe_y = g.probe ? g.probe[2 * at + 1] : 0;
    Footprint<float> f = project(gaussian, camera, probe_x, probe_y, g.blur, g.antialiased != 0);
    bool drawn = f.drawn && all_finite(v.sh + splat * v.harmonics * 3, v.harmonics * 3) &&
                 all_finite(v.colours + view * v.view_stride + splat * v.channels, v.channels);
    footprints.radius_px[at] = drawn ? f.radius : 0;
    if (!drawn) return 0;
    see(gaussian, camera, v, splat, f.depth, footprints.seen + at * seen_floats(v));
    Splat<float> s{f.x, f.y, f.a, f.b, f.c, f.opacity, f.cutoff, f.reach_x, f.reach_y, f.depth};
    reinterpret_cast<Splat<float>*>(footprints.splats)[at] = s;
    Tiles tiles(cameras);
    return Footing(s, tiles).count(tiles);
}

__global__ void __launch_bounds__(THREADS)
    project_all(D3dCameras cameras, D3dGaussians g, D3dSplatValues v, D3dFootprints footprints, int32_t* touched,
                int64_t* needed) {
    int64_t at = thread_of_grid();
    int tiles = 0;
    if (at < cameras.views * g.count) {
        tiles = project_one(cameras, g, v, footprints, at / g.count, at % g.count);
        touched[at] = tiles;
    }
    int64_t of_warp = warp_sum(int64_t(tiles));
    if (lane_of_warp() == 0 && of_warp)
        atomicAdd(reinterpret_cast<unsigned long long*>(needed), static_cast<unsigned long long>(of_warp));
}

}  // namespace

int32_t d3d_splat_tile_px(void) { return TILE; }

int32_t d3d_splat_seen_floats(const D3dSplatValues* values) { return seen_floats(*values); }

// Here the histogram is [views, count]: the tiles that each footprint meets. first_slot is not used.
int64_t d3d_splat_histogram_bytes(const D3dCameras* cameras, int64_t count, const D3dLaunch*) {
    return cameras->views * count * int64_t(sizeof(int32_t));
}

int32_t d3d_splat_project(const D3dCameras* cameras, const D3dGaussians* g, const D3dSplatValues* values,
                          const D3dFootprints* footprints, void* histogram, int64_t* needed, const D3dLaunch* launch) {
    if (cameras->views * g->count >= INT32_MAX) return D3D_TOO_MANY_PAIRS;
    Stream stream(*launch);
    stream.zero(needed, sizeof *needed);
    stream.run(project_all, Grid::over(cameras->views * g->count, THREADS), *cameras, *g, *values, *footprints,
               static_cast<int32_t*>(histogram), needed);
    return stream.status();
}
