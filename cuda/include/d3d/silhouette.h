// Pairs of neighbouring pixels with a silhouette between them, in a view of a mesh.
#pragma once

#include "abi_mesh.h"
#include "antialias.h"
#include "in_camera.h"

namespace d3d {

struct View {
    Camera<float> camera;
    int width;

    D3D_INLINE View(const D3dCameras& cameras, int64_t view)
        : camera(camera_of<float>(cameras, view)), width(cameras.width) {}

    D3D_INLINE Vector<float> ray(int column, int row) const {
        return {(float(column) + 0.5f - camera.cx) / camera.fx, (float(row) + 0.5f - camera.cy) / camera.fy, 1.f};
    }

    D3D_INLINE Vector<float> point(const D3dMesh& mesh, int64_t vertex) const {
        float p[3];
        in_camera(mesh.vertices + 3 * vertex, camera, p);
        return {p[0], p[1], p[2]};
    }
};

// Bit i: the edge opposite the face's corner i is a silhouette.
D3D_INLINE uint8_t silhouettes_of(const Surface<float>& surface, int64_t face) {
    int bits = 0;
    for (int i = 0; i < 3; i++) {
        int32_t corner = int32_t(3 * face + i);
        bits |= int(is_silhouette(surface, corner, Edge<float>(surface, corner).normal)) << i;
    }
    return uint8_t(bits);
}

// Whether two faces meet at an edge that is no silhouette, and so are one surface.
D3D_INLINE bool joined(const Surface<float>& surface, const uint8_t* silhouettes, int32_t face, int32_t other) {
    for (int i = 0; i < 3; i++)
        if (uint32_t(surface.opposite[3 * face + i] - 3 * other) < 3) return !(silhouettes[face] >> i & 1);
    return false;
}

// What a pixel sees of a mesh, in pictures of one view.
struct Seen {
    const int32_t* triangle;
    const float* depth;
};

struct Found {
    int32_t edge;  // as in D3dCrossings, or NO_EDGE
    float shift;
};

// Between a pixel and the next along axis 0 (its row) or 1 (its column).
D3D_INLINE Found find_between(const View& view, const Surface<float>& surface, const uint8_t* silhouettes,
                              const Seen& seen, int column, int row, int axis) {
    int32_t here = row * view.width + column, there = here + (axis ? view.width : 1);
    int32_t face = seen.triangle[here], other = seen.triangle[there];
    if (face == other) return {NO_EDGE, 0};
    bool second = face < 0 || (other >= 0 && seen.depth[there] < seen.depth[here]);
    if (second) face = other, other = seen.triangle[here];
    if (face < 0 || 3 * int64_t(face) >= surface.corner_count) return {NO_EDGE, 0};
    if (other >= 0 && joined(surface, silhouettes, face, other)) return {NO_EDGE, 0};
    Vector<float> n = view.ray(column, row), m = view.ray(column + 1 - axis, row + axis);
    Crossing<float> found = find_crossing(surface, face, second ? m : n, second ? n : m, axis == 0, view.camera.fx,
                                          view.camera.fy);
    if (found.corner == NO_EDGE) return {NO_EDGE, 0};
    return {4 * found.corner + 2 * axis + second, (second ? 1 - found.t : found.t) - 0.5f};
}

// One crossing: the pair's pixels, which of them receives from the other, and how much.
struct Pair {
    int64_t first, second, receiver, giver;
    float amount;

    D3D_INLINE Pair(int64_t pixel, int32_t edge, float shift, int width)
        : first(pixel), second(pixel + (edge & 2 ? width : 1)), receiver(shift > 0 ? second : first),
          giver(shift > 0 ? first : second), amount(shift > 0 ? shift : -shift) {}
};

// The gradient of an edge's ends in the world, for that of the shift.
struct Ends {
    int32_t vertex[2];
    float by[2][3];
};

D3D_INLINE Ends end_gradients(const View& view, const D3dMesh& mesh, int32_t pixel, int32_t code, float by_shift) {
    const int32_t local[3] = {0, 1, 2}, none[3] = {NO_EDGE, NO_EDGE, NO_EDGE};
    int32_t corner = code >> 2, first = corner - corner % 3;
    bool below = code & 2, second = code & 1;
    Vector<float> points[3];
    for (int i = 0; i < 3; i++) points[i] = view.point(mesh, mesh.faces[first + i]);
    Edge<float> edge(Surface<float>{points, local, none, 3, 3}, corner % 3);
    int column = pixel % view.width, row = pixel / view.width;
    Vector<float> n = view.ray(column, row), m = view.ray(column + !below, row + below);
    EdgeGradient<float> by =
        crossing_gradient(edge, second ? m : n, second ? n : m, second ? -by_shift : by_shift);
    const float in_view[2][3] = {{by.from.x, by.from.y, by.from.z}, {by.to.x, by.to.y, by.to.z}};
    Ends ends{};
    for (int i = 0; i < 2; i++) {
        ends.vertex[i] = mesh.faces[first + (corner + 1 + i) % 3];
        add_in_world(in_view[i], view.camera, ends.by[i]);
    }
    return ends;
}

}  // namespace d3d
