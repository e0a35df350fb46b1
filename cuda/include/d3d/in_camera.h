// Points of the world in a camera's frame, and gradients back.
#pragma once

#include "cameras.h"

namespace d3d {

template <class S>
D3D_INLINE void in_camera(const float* vertex, const Camera<S>& camera, S (&out)[3]) {
    for (int i = 0; i < 3; i++)
        out[i] = camera.rotation[i][0] * vertex[0] + camera.rotation[i][1] * vertex[1] +
                 camera.rotation[i][2] * vertex[2] + camera.translation[i];
}

template <class S>
D3D_INLINE void add_in_world(const S (&in_camera)[3], const Camera<S>& camera, S (&out)[3]) {
    for (int i = 0; i < 3; i++)
        out[i] += camera.rotation[0][i] * in_camera[0] + camera.rotation[1][i] * in_camera[1] +
                  camera.rotation[2][i] * in_camera[2];
}

}  // namespace d3d
