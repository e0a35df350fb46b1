// A view of a mesh, and its crossings, for finding silhouettes and for their gradients.
#pragma once

#include <omp.h>

#include <algorithm>

#include "cameras.h"
#include "d3d/abi_mesh.h"
#include "d3d/antialias.h"
#include "in_camera.h"

namespace d3d {

constexpr int BLOCK_ROWS = 32;

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

// One crossing: the pair's pixels, which of them receives from the other, and how much.
struct Pair {
    int64_t first, second, receiver, giver;
    float amount;

    Pair(int64_t pixel, int32_t edge, float shift, int width)
        : first(pixel), second(pixel + (edge & 2 ? width : 1)), receiver(shift > 0 ? second : first),
          giver(shift > 0 ? first : second), amount(std::fabs(shift)) {}
};

// Blocks of rows, each with slots for its crossings.
struct Blocks {
    const D3dCameras& cameras;
    int64_t per_view, slots;

    explicit Blocks(const D3dCameras& cameras)
        : cameras(cameras), per_view((cameras.height + BLOCK_ROWS - 1) / BLOCK_ROWS),
          slots(2 * int64_t(BLOCK_ROWS) * cameras.width) {}
    int64_t count() const { return cameras.views * per_view; }
    int64_t view(int64_t block) const { return block / per_view; }
    int first_row(int64_t block) const { return int(block % per_view) * BLOCK_ROWS; }
    int end_row(int64_t block) const { return std::min(cameras.height, first_row(block) + BLOCK_ROWS); }
    int64_t first_pixel(int64_t view) const { return view * cameras.height * cameras.width; }

    // Calls visit(slot, pair) for one view's crossings of one axis (0: along rows, 1: along columns), in order.
    template <class Visit>
    void for_each(const D3dCrossings& crossings, int64_t view, int axis, Visit visit) const {
        for (int64_t block = view * per_view; block < (view + 1) * per_view; block++)
            for (int64_t slot = block * slots; slot < block * slots + crossings.count[block]; slot++)
                if ((crossings.edge[slot] >> 1 & 1) == axis)
                    visit(slot, Pair(crossings.pixel[slot], crossings.edge[slot], crossings.shift[slot], cameras.width));
    }
};

}  // namespace d3d
