// Blocks of rows of pixels, each with slots for its crossings.
#pragma once

#include <omp.h>

#include <algorithm>

#include "d3d/silhouette.h"

namespace d3d {

constexpr int BLOCK_ROWS = 32;

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
