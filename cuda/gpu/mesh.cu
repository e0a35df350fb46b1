// A z-buffer by atomic maximum: a pixel's number is 1 / depth and, below it, the face, so that the nearest wins and of
// equals the first. Small triangles are drawn by a lane or a warp; large ones go to a queue, and tile by tile each
// block draws those of the queue that meet its tile.

#include "d3d/abi_mesh.h"
#include "d3d/in_camera.h"
#include "d3d/mesh.h"
#include "primitives.h"
#include "warp.h"

using namespace d3d;

namespace {

using Key = unsigned long long;

constexpr int THREADS = 256, TILE = 32;
constexpr int LANE_PIXELS = 16, WARP_PIXELS = 1024;  // boxes of so many pixels are drawn by a lane, by a warp

D3D_INLINE int tiles_over(int pixels) { return (pixels + TILE - 1) / TILE; }

struct Setup {
    Arena arena;
    Triangle* triangles;  // [views, faces]
    int32_t* queue;       // [views, faces]: large ones
    int32_t* queued;      // [views]

    Setup(const D3dCameras& cameras, const D3dMesh& mesh, void* memory)
        : arena(memory), triangles(arena.take<Triangle>(cameras.views * mesh.face_count)),
          queue(arena.take<int32_t>(cameras.views * mesh.face_count)), queued(arena.take<int32_t>(cameras.views)) {}
};

__device__ bool corners_of(const D3dMesh& mesh, int64_t face, const Camera<double>& camera, double (&p)[3][3]) {
    for (int i = 0; i < 3; i++) {
        int64_t vertex = mesh.faces[3 * face + i];
        if (vertex < 0 || vertex >= mesh.vertex_count) return false;
        in_camera(mesh.vertices + 3 * vertex, camera, p[i]);
    }
    return true;
}

__device__ int64_t box_pixels(const Triangle& t) {
    return int64_t(t.right - t.left + 1) * (t.bottom - t.top + 1);
}

__global__ void set_up_triangles(D3dCameras cameras, D3dMesh mesh, Triangle* triangles, int32_t* queue,
                                 int32_t* queued) {
    int64_t i = thread_of_grid();
    if (i >= cameras.views * mesh.face_count) return;
    int64_t view = i / mesh.face_count, face = i % mesh.face_count;
    Camera<double> camera = camera_of<double>(cameras, view);
    Triangle t;
    double p[3][3];
    if (!corners_of(mesh, face, camera, p) || !set_up(p, camera, t)) t.left = t.top = t.bottom = 0, t.right = -1;
    triangles[i] = t;
    if (t.right >= 0 && box_pixels(t) > WARP_PIXELS)
        queue[view * mesh.face_count + atomicAdd(queued + view, 1)] = int32_t(face);
}

__device__ void draw_pixel(const Triangle& t, int64_t face, int column, int row, const D3dCameras& cameras, Key* keys) {
    Sample<float> s = sample(t, float(column - t.left), float(row - t.top));
    if (!covers(s, cameras.near, cameras.far)) return;
    Key key = Key(__float_as_uint(s.inverse_depth)) << 32 | uint32_t(~uint32_t(face));
    Key* at = keys + int64_t(row) * cameras.width + column;
    if (key > *at) atomicMax(at, key);
}

// Every `step`th pixel of a triangle's box, from the `first`.
__device__ void draw_box(const Triangle& t, int64_t face, int first, int step, const D3dCameras& cameras, Key* keys) {
    int width = t.right - t.left + 1, pixels = width * (t.bottom - t.top + 1);
    for (int i = first; i < pixels; i += step) draw_pixel(t, face, t.left + i % width, t.top + i / width, cameras, keys);
}

__global__ void draw_small(D3dCameras cameras, int64_t faces, const Triangle* triangles, Key* keys) {
    int64_t i = thread_of_grid();
    const int64_t pixels = int64_t(cameras.height) * cameras.width;
    bool exists = i < cameras.views * faces;
    int64_t size = exists && triangles[i].right >= 0 ? box_pixels(triangles[i]) : 0;
    if (size > 0 && size <= LANE_PIXELS) draw_box(triangles[i], i % faces, 0, 1, cameras, keys + i / faces * pixels);
    unsigned left = __ballot_sync(ALL_LANES, size > LANE_PIXELS && size <= WARP_PIXELS);
    for (; left; left &= left - 1) {
        int64_t chosen = i - lane_of_warp() + __ffs(int(left)) - 1;
        draw_box(triangles[chosen], chosen % faces, lane_of_warp(), WARP, cameras, keys + chosen / faces * pixels);
    }
}

// One block for each tile of each view; THREADS of the queue at a time.
__global__ void draw_large(D3dCameras cameras, int64_t faces, const Triangle* triangles, const int32_t* queue,
                           const int32_t* queued, Key* keys) {
    SHARED(int32_t[THREADS], meeting);
    SHARED(int32_t, count);
    const int columns = tiles_over(cameras.width), tiles = columns * tiles_over(cameras.height);
    const int64_t view = blockIdx.x / tiles;
    const int tile = blockIdx.x % tiles, left = tile % columns * TILE, top = tile / columns * TILE;
    const int thread = threadIdx.x;
    const Triangle* of_view = triangles + view * faces;
    Key* at = keys + view * cameras.height * cameras.width;
    for (int32_t first = 0; first < queued[view]; first += THREADS) {
        if (thread == 0) count = 0;
        __syncthreads();
        if (first + thread < queued[view]) {
            int32_t face = queue[view * faces + first + thread];
            const Triangle& t = of_view[face];
            if (t.left < left + TILE && t.right >= left && t.top < top + TILE && t.bottom >= top)
                meeting[atomicAdd(&count, 1)] = face;
        }
        __syncthreads();
        for (int i = 0; i < count; i++) {
            const Triangle& t = of_view[meeting[i]];
            for (int pixel = thread; pixel < TILE * TILE; pixel += THREADS) {
                int column = left + pixel % TILE, row = top + pixel / TILE;
                if (column >= t.left && column <= t.right && row >= t.top && row <= t.bottom)
                    draw_pixel(t, meeting[i], column, row, cameras, at);
            }
        }
        __syncthreads();
    }
}

__global__ void write_fragments(D3dCameras cameras, int64_t faces, const Triangle* triangles, const Key* keys,
                                D3dFragments fragments) {
    int64_t i = thread_of_grid();
    const int64_t pixels = int64_t(cameras.height) * cameras.width;
    if (i >= cameras.views * pixels) return;
    Key key = keys[i];
    int32_t face = key ? int32_t(~uint32_t(key)) : -1;
    Hit hit{};
    float slopes[6] = {};
    if (face >= 0) {
        const Triangle& t = triangles[i / pixels * faces + face];
        hit = hit_at(t, int(i % pixels % cameras.width), int(i % pixels / cameras.width));
        write_derivatives(t, hit, slopes);
    }
    fragments.triangle[i] = face;
    fragments.depth[i] = hit.depth;
    for (int j = 0; j < 3; j++) fragments.barycentric[3 * i + j] = hit.barycentric[j];
    if (fragments.derivatives)
        for (int j = 0; j < 6; j++) fragments.derivatives[6 * i + j] = slopes[j];
}

}  // namespace

int64_t d3d_mesh_setup_bytes(const D3dCameras* cameras, const D3dMesh* mesh, const D3dLaunch*) {
    return Setup(*cameras, *mesh, nullptr).arena.bytes();
}

int32_t d3d_mesh_setup(const D3dCameras* cameras, const D3dMesh* mesh, void* memory, int64_t* pairs,
                       const D3dLaunch* launch) {
    Stream stream(*launch);
    Setup setup(*cameras, *mesh, memory);
    *pairs = 0;  // nothing is sorted into tiles here
    stream.zero(setup.queued, cameras->views * int64_t(sizeof(int32_t)));
    stream.run(set_up_triangles, Grid::over(cameras->views * mesh->face_count, 128), *cameras, *mesh, setup.triangles,
               setup.queue, setup.queued);
    return stream.status();
}

int64_t d3d_mesh_rasterize_bytes(const D3dCameras* cameras, int64_t) {
    return cameras->views * cameras->height * cameras->width * int64_t(sizeof(Key));
}

int32_t d3d_mesh_rasterize(const D3dCameras* cameras, const D3dMesh* mesh, void* memory, int64_t,
                           const D3dFragments* fragments, void* workspace, const D3dLaunch* launch) {
    Stream stream(*launch);
    Setup setup(*cameras, *mesh, memory);
    Key* keys = static_cast<Key*>(workspace);
    const int64_t faces = mesh->face_count;
    stream.zero(keys, d3d_mesh_rasterize_bytes(cameras, 0));
    stream.run(draw_small, Grid::over(cameras->views * faces, THREADS), *cameras, faces, setup.triangles, keys);
    int64_t tiles = int64_t(tiles_over(cameras->width)) * tiles_over(cameras->height) * cameras->views;
    if (faces > 0)
        stream.run(draw_large, Grid(unsigned(tiles), THREADS), *cameras, faces, setup.triangles, setup.queue,
                   setup.queued, keys);
    stream.run(write_fragments, Grid::over(cameras->views * cameras->height * cameras->width, THREADS), *cameras, faces,
               setup.triangles, keys, *fragments);
    return stream.status();
}
