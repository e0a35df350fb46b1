// Gradients of fragments to vertices: pixels by face, each face's sums in each view, corners by vertex.

#include "cameras.h"
#include "d3d/abi_mesh.h"
#include "d3d/in_camera.h"
#include "d3d/mesh.h"
#include "groups.h"

using namespace d3d;

namespace {

struct Work {
    Groups pixels, corners;
    float* by_corner;  // [faces, 3, 3]

    Work(const D3dCameras& cameras, const D3dMesh& mesh, const D3dLaunch& launch, void* memory)
        : pixels(cameras.views * cameras.height * cameras.width, mesh.face_count, launch, memory),
          corners(3 * mesh.face_count, mesh.vertex_count, launch, pixels.after()),
          by_corner(static_cast<float*>(corners.after())) {}
    int64_t bytes(const D3dMesh& mesh) const {
        return pixels.bytes() + corners.bytes() + 9 * mesh.face_count * int64_t(sizeof(float));
    }
};

// One face's pixels, which come view by view.
struct Face {
    const D3dCameras& cameras;
    const D3dMesh& mesh;
    const D3dFragments& fragments;
    const D3dFragmentGradients& by;
    double by_vertex[3][3] = {};

    void add(int64_t face, const int32_t* from, const int32_t* end) {
        const int64_t pixels = int64_t(cameras.height) * cameras.width;
        while (from < end) {
            int64_t view = *from / pixels;
            ShareSums<float> sums{};
            for (; from < end && *from < (view + 1) * pixels; from++) add_fragment(sums, *from);
            finish(face, view, sums);
        }
    }

    void add_fragment(ShareSums<float>& sums, int64_t pixel) const {
        float b[3], by_b[3] = {};
        for (int i = 0; i < 3; i++) b[i] = fragments.barycentric[3 * pixel + i];
        if (by.barycentric)
            for (int i = 0; i < 3; i++) by_b[i] = by.barycentric[3 * pixel + i];
        add_pixel(sums, b, fragments.depth[pixel], by_b, by.depth ? by.depth[pixel] : 0.f);
    }

    void finish(int64_t face, int64_t view, const ShareSums<float>& sums) {
        Camera<double> camera = camera_of<double>(cameras, view);
        double p[3][3], by_p[3][3] = {};
        for (int i = 0; i < 3; i++) in_camera(mesh.vertices + 3 * int64_t(mesh.faces[3 * face + i]), camera, p[i]);
        corner_gradient(p, sums, by_p);
        for (int corner = 0; corner < 3; corner++) add_in_world(by_p[corner], camera, by_vertex[corner]);
    }
};

}  // namespace

int64_t d3d_mesh_gradient_bytes(const D3dCameras* cameras, const D3dMesh* mesh, const D3dLaunch* launch) {
    return Work(*cameras, *mesh, *launch, nullptr).bytes(*mesh);
}

int32_t d3d_mesh_gradient(const D3dCameras* cameras, const D3dMesh* mesh, const D3dFragments* fragments,
                          const D3dFragmentGradients* by, float* vertices, void* memory, const D3dLaunch* launch) {
    Work work(*cameras, *mesh, *launch, memory);
    if (work.pixels.too_many() || work.corners.too_many()) return D3D_TOO_MANY_PAIRS;
    work.pixels.sort([&](int64_t pixel) { return fragments->triangle[pixel]; });
    work.pixels.for_each([&](int64_t index, const int32_t* from, const int32_t* end) {
        Face face{*cameras, *mesh, *fragments, *by};
        face.add(index, from, end);
        for (int i = 0; i < 9; i++) work.by_corner[9 * index + i] = float(face.by_vertex[i / 3][i % 3]);
    });
    work.corners.sort([&](int64_t corner) { return mesh->faces[corner]; });
    add_corners(work.corners, 3, work.by_corner, vertices);
    return D3D_OK;
}
