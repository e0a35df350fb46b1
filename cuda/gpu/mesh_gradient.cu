// Gradients of fragments to vertices: pixels into sums of their face in their view, and those into the vertices.

#include "d3d/abi_mesh.h"
#include "d3d/in_camera.h"
#include "d3d/mesh.h"
#include "scatter.h"

using namespace d3d;

namespace {

constexpr int THREADS = 256;

__global__ void sum_pixels(D3dCameras cameras, int64_t faces, D3dFragments fragments, D3dFragmentGradients by,
                           ShareSums<float>* sums) {
    const int64_t i = thread_of_grid(), pixels = int64_t(cameras.height) * cameras.width;
    const int32_t face = i < cameras.views * pixels ? fragments.triangle[i] : -1;
    const bool seen = face >= 0 && face < faces;
    const int64_t key = seen ? i / pixels * faces + face : -1;
    float moments[9] = {};
    if (seen) {
        float b[3], by_b[3] = {};
        for (int j = 0; j < 3; j++) b[j] = fragments.barycentric[3 * i + j];
        if (by.barycentric)
            for (int j = 0; j < 3; j++) by_b[j] = by.barycentric[3 * i + j];
        ShareSums<float> own{};
        add_pixel(own, b, fragments.depth[i], by_b, by.depth ? by.depth[i] : 0.f);
        for (int j = 0; j < 9; j++) moments[j] = own.of[j / 3][j % 3];
    }
    if (gather_lanes(key, moments))
        for (int j = 0; j < 9; j++) atomicAdd(&sums[key].of[j / 3][j % 3], moments[j]);
}

__device__ bool is_zero(const ShareSums<float>& sums) {
    for (int j = 0; j < 9; j++)
        if (sums.of[j / 3][j % 3] != 0) return false;
    return true;
}

__global__ void add_to_vertices(D3dCameras cameras, D3dMesh mesh, const ShareSums<float>* sums, float* by_vertices) {
    int64_t i = thread_of_grid();
    if (i >= cameras.views * mesh.face_count || is_zero(sums[i])) return;
    Camera<double> camera = camera_of<double>(cameras, i / mesh.face_count);
    const int32_t* corners = mesh.faces + i % mesh.face_count * 3;
    double p[3][3], by_p[3][3] = {};
    for (int j = 0; j < 3; j++) {
        if (corners[j] < 0 || corners[j] >= mesh.vertex_count) return;
        in_camera(mesh.vertices + 3 * int64_t(corners[j]), camera, p[j]);
    }
    corner_gradient(p, sums[i], by_p);
    for (int j = 0; j < 3; j++) {
        double in_world[3] = {};
        add_in_world(by_p[j], camera, in_world);
        for (int axis = 0; axis < 3; axis++)
            atomicAdd(by_vertices + 3 * int64_t(corners[j]) + axis, float(in_world[axis]));
    }
}

}  // namespace

int64_t d3d_mesh_gradient_bytes(const D3dCameras* cameras, const D3dMesh* mesh, const D3dLaunch*) {
    return cameras->views * mesh->face_count * int64_t(sizeof(ShareSums<float>));
}

int32_t d3d_mesh_gradient(const D3dCameras* cameras, const D3dMesh* mesh, const D3dFragments* fragments,
                          const D3dFragmentGradients* by, float* vertices, void* memory, const D3dLaunch* launch) {
    Stream stream(*launch);
    ShareSums<float>* sums = static_cast<ShareSums<float>*>(memory);
    stream.zero(sums, d3d_mesh_gradient_bytes(cameras, mesh, launch));
    stream.zero(vertices, 3 * mesh->vertex_count * int64_t(sizeof(float)));
    stream.run(sum_pixels, Grid::over(cameras->views * cameras->height * cameras->width, THREADS), *cameras,
               mesh->face_count, *fragments, *by, sums);
    stream.run(add_to_vertices, Grid::over(cameras->views * mesh->face_count, 128), *cameras, *mesh, sums, vertices);
    return stream.status();
}
