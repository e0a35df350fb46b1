// A tile's place in a picture, and its strips of LANES pixels.
#pragma once

#include <omp.h>

#include "footprints.h"

namespace d3d {

constexpr int PIXELS = TILE * TILE;
static_assert(TILE % LANES == 0, "a row of a tile is a whole number of strips");

struct Strip {
    Wide x;                // the pixels' centres
    float y, left, right;  // the row's centre, and the first and last pixel's
};

// LANES strips one after the other, one in each lane.
struct Strips {
    Wide y, left, right;
};

// number(lane) in each lane; a constant to the compiler.
template <class Number>
D3D_INLINE Wide ramp(Number number) {
    Wide lanes;
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = float(number(lane));
    return lanes;
}

struct Place {
    int64_t view;
    int left, top, width, height;  // of the tile and of the picture, in pixels
    int32_t first_pair, end_pair;

    Place(const D3dCameras& cameras, const Tiles& tiles, const D3dPairs& pairs, int64_t tile_of_all)
        : view(tile_of_all / tiles.count()), width(cameras.width), height(cameras.height),
          first_pair(pairs.tile_start[tile_of_all]), end_pair(pairs.tile_start[tile_of_all + 1]) {
        int64_t tile = tile_of_all % tiles.count();
        left = int(tile % tiles.columns) * TILE;
        top = int(tile / tiles.columns) * TILE;
    }

    bool inside(int pixel) const { return left + pixel % TILE < width && top + pixel / TILE < height; }

    Strip strip(int first_pixel) const {
        const unsigned pixel = first_pixel;  // whose division is a shift
        Strip strip;
        strip.left = float(left + int(pixel % TILE)) + 0.5f;
        strip.right = strip.left + (LANES - 1);
        strip.y = float(top + int(pixel / TILE)) + 0.5f;
        strip.x = strip.left + ramp([](int lane) { return lane; });
        return strip;
    }

    // `first_pixel` is the first of a row.
    Strips strips(int first_pixel) const {
        Strips strips;
        strips.left = float(left) + 0.5f + ramp([](int lane) { return lane * LANES % TILE; });
        strips.right = strips.left + float(LANES - 1);
        strips.y = float(top + first_pixel / TILE) + 0.5f + ramp([](int lane) { return lane * LANES / TILE; });
        return strips;
    }

    // Calls visit(pixel of the tile, pixel of all pictures) for those inside the picture.
    template <class Visit>
    void for_each_pixel(Visit visit) const {
        int columns = std::min(TILE, width - left), rows = std::min(TILE, height - top);
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                visit(row * TILE + column, (view * height + top + row) * int64_t(width) + left + column);
    }
};

inline const Splat<float>* splats_of(const D3dFootprints& footprints, int64_t view, int64_t count) {
    return reinterpret_cast<const Splat<float>*>(footprints.splats) + view * count;
}

}  // namespace d3d
