// A z-buffer over tiles: triangles are set up once for each view, sorted into tiles, and tested in strips of LANES
// pixels. The buffer holds 1 / depth, which is linear in the picture, and the face's index.

#include <omp.h>

#include "bins.h"
#include "cameras.h"
#include "d3d/abi_mesh.h"
#include "d3d/in_camera.h"
#include "d3d/mesh.h"

using namespace d3d;

namespace {

constexpr int TILE = 32, PIXELS = TILE * TILE;

struct Setup {
    Tiles tiles;
    Parts parts;
    Triangle* triangles;  // [views, faces]
    int32_t* histogram;

    Setup(const D3dCameras& cameras, const D3dMesh& mesh, const D3dLaunch& launch, void* memory)
        : tiles(cameras, TILE), parts(cameras.views, mesh.face_count, launch),
          triangles(static_cast<Triangle*>(memory)),
          histogram(reinterpret_cast<int32_t*>(triangles + cameras.views * mesh.face_count)) {}
};

template <class Visit>
void for_each_tile(const Triangle& t, const Tiles& tiles, Visit visit) {
    for (int row = t.top / TILE; row <= t.bottom / TILE; row++)
        for (int column = t.left / TILE; column <= t.right / TILE; column++) visit(row * tiles.columns + column);
}

struct Buffer {
    alignas(64) float inverse_depth[PIXELS];
    alignas(64) int32_t face[PIXELS];
};

// Draws one triangle into the tile whose first pixel is (left, top).
void draw(const Triangle& t, int32_t face, int left, int top, float near, float far, Buffer& buffer) {
    int first_row = std::max(t.top, top), last_row = std::min(t.bottom, top + TILE - 1);
    int first = std::max(t.left, left) - left, last = std::min(t.right, left + TILE - 1) - left;
    first -= first % LANES;
    Wide lane;
    for (int i = 0; i < LANES; i++) lane[i] = float(i);
    for (int row = first_row; row <= last_row; row++) {
        for (int column = first; column <= last; column += LANES) {
            int pixel = (row - top) * TILE + column;
            Sample<Wide> s = sample(t, lane + float(left + column - t.left), float(row - t.top));
            Wide nearest = load(buffer.inverse_depth + pixel);
            WideMask wins = covers(s, near, far) & (s.inverse_depth > nearest);
            if (!any_lane(wins)) continue;
            store(buffer.inverse_depth + pixel, select(wins, s.inverse_depth, nearest));
            WideMask faces;
            std::memcpy(&faces, buffer.face + pixel, sizeof faces);
            faces = wins ? WideMask{} + face : faces;
            std::memcpy(buffer.face + pixel, &faces, sizeof faces);
        }
    }
}

void write(const Buffer& buffer, const Triangle* triangles, int left, int top, int64_t view, const D3dCameras& cameras,
           const D3dFragments& fragments) {
    int columns = std::min(TILE, cameras.width - left), rows = std::min(TILE, cameras.height - top);
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            int64_t at = (view * cameras.height + top + row) * int64_t(cameras.width) + left + column;
            int32_t face = buffer.face[row * TILE + column];
            fragments.triangle[at] = face;
            fragments.depth[at] = 0;
            float* barycentric = fragments.barycentric + 3 * at;
            barycentric[0] = barycentric[1] = barycentric[2] = 0;
            if (fragments.derivatives) std::fill_n(fragments.derivatives + 6 * at, 6, 0.f);
            if (face < 0) continue;
            const Triangle& t = triangles[face];
            Hit hit = hit_at(t, left + column, top + row);
            std::copy_n(hit.barycentric, 3, barycentric);
            fragments.depth[at] = hit.depth;
            if (fragments.derivatives) write_derivatives(t, hit, fragments.derivatives + 6 * at);
        }
    }
}

}  // namespace

int64_t d3d_mesh_setup_bytes(const D3dCameras* cameras, const D3dMesh* mesh, const D3dLaunch* launch) {
    Setup setup(*cameras, *mesh, *launch, nullptr);
    return cameras->views * mesh->face_count * int64_t(sizeof(Triangle)) +
           histogram_ints(setup.parts, setup.tiles) * int64_t(sizeof(int32_t));
}

int32_t d3d_mesh_setup(const D3dCameras* cameras, const D3dMesh* mesh, void* memory, int64_t* pairs,
                       const D3dLaunch* launch) {
    Setup setup(*cameras, *mesh, *launch, memory);
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t part = 0; part < setup.parts.count(); part++) {
        int64_t view = setup.parts.view(part);
        Camera<double> camera = camera_of<double>(*cameras, view);
        Triangle* triangles = setup.triangles + view * mesh->face_count;
        int32_t* counts = setup.histogram + part * setup.tiles.count();
        std::fill_n(counts, setup.tiles.count(), 0);
        for (int64_t face = setup.parts.first(part); face < setup.parts.end(part); face++) {
            double corners[3][3];
            for (int i = 0; i < 3; i++)
                in_camera(mesh->vertices + 3 * int64_t(mesh->faces[3 * face + i]), camera, corners[i]);
            if (set_up(corners, camera, triangles[face]))
                for_each_tile(triangles[face], setup.tiles, [&](int tile) { counts[tile]++; });
            else
                triangles[face].right = -1;
        }
    }
    *pairs = total(setup.histogram, histogram_ints(setup.parts, setup.tiles));
    return *pairs > INT32_MAX ? D3D_TOO_MANY_PAIRS : D3D_OK;
}

int64_t d3d_mesh_rasterize_bytes(const D3dCameras* cameras, int64_t pairs) {
    return (cameras->views * Tiles(*cameras, TILE).count() + 1 + pairs) * int64_t(sizeof(int32_t));
}

int32_t d3d_mesh_rasterize(const D3dCameras* cameras, const D3dMesh* mesh, void* memory, int64_t pairs,
                           const D3dFragments* fragments, void* workspace, const D3dLaunch* launch) {
    Setup setup(*cameras, *mesh, *launch, memory);
    int32_t* faces = static_cast<int32_t*>(workspace);
    int32_t* tile_start = faces + pairs;
    const int64_t tiles = setup.tiles.count();
    starts_from_counts(setup.parts, setup.tiles, setup.histogram, tile_start);

#pragma omp parallel num_threads(launch->threads)
    {
#pragma omp for schedule(static)
        for (int64_t part = 0; part < setup.parts.count(); part++) {
            const Triangle* triangles = setup.triangles + setup.parts.view(part) * mesh->face_count;
            int32_t* place = setup.histogram + part * tiles;
            for (int64_t face = setup.parts.first(part); face < setup.parts.end(part); face++)
                if (triangles[face].right >= 0)
                    for_each_tile(triangles[face], setup.tiles,
                                  [&](int tile) { faces[place[tile]++] = int32_t(face); });
        }
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < cameras->views * tiles; i++) {
            int64_t view = i / tiles;
            int left = int(i % tiles % setup.tiles.columns) * TILE, top = int(i % tiles / setup.tiles.columns) * TILE;
            const Triangle* triangles = setup.triangles + view * mesh->face_count;
            Buffer buffer;
            std::fill_n(buffer.inverse_depth, PIXELS, 0.f);
            std::fill_n(buffer.face, PIXELS, -1);
            for (int32_t at = tile_start[i]; at < tile_start[i + 1]; at++)
                draw(triangles[faces[at]], faces[at], left, top, cameras->near, cameras->far, buffer);
            write(buffer, triangles, left, top, view, *cameras, *fragments);
        }
    }
    return D3D_OK;
}
