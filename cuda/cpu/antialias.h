// A view of a mesh, for finding silhouettes and for their gradients.
#pragma once

#include <omp.h>

#include <algorithm>

#include "cameras.h"
#include "d3d/abi_mesh.h"
#include "d3d/antialias.h"
#include "in_camera.h"

namespace d3d {

struct View {
    Camera<float> camera;
    float fx, fy;
    int width;

    View(const D3dCameras& cameras, int64_t view)
        : camera(camera_of<float>(cameras, view)), fx(camera.fx), fy(camera.fy), width(cameras.width) {}

    Vector<float> ray(int column, int row) const {
        return {(float(column) + 0.5f - camera.cx) / fx, (float(row) + 0.5f - camera.cy) / fy, 1.f};
    }

    Vector<float> point(const D3dMesh& mesh, int64_t vertex) const {
        float p[3];
        in_camera(mesh.vertices + 3 * vertex, camera, p);
        return {p[0], p[1], p[2]};
    }
};

}  // namespace d3d
