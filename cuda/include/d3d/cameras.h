// One camera out of a batch.
#pragma once

#include "abi.h"
#include "project.h"

namespace d3d {

template <class S>
D3D_INLINE Camera<S> camera_of(const D3dCameras& cameras, int64_t view) {
    Camera<S> camera;
    const float* matrix = cameras.world_to_camera + 16 * view;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) camera.rotation[i][j] = matrix[4 * i + j];
        camera.translation[i] = matrix[4 * i + 3];
    }
    const float* in_px = cameras.intrinsics + 4 * view;
    camera.fx = in_px[0], camera.fy = in_px[1], camera.cx = in_px[2], camera.cy = in_px[3];
    camera.width = S(cameras.width), camera.height = S(cameras.height);
    camera.near = cameras.near, camera.far = cameras.far;
    return camera;
}

}  // namespace d3d
