// Which tiles a surfel's bound meets, a tile's place in a picture and its strips of LANES pixels.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "bins.h"
#include "cameras.h"
#include "d3d/abi_surfels.h"
#include "d3d/surfel.h"

namespace d3d::surfels {

constexpr int TILE = 16, PIXELS = TILE * TILE;
constexpr int NORMAL = 3;  // channels after the colours'
// Added to a bound's reach, so that rounding here never loses a pixel that `evaluate` would draw.
constexpr float SLACK_PX = 1e-2f;

static_assert(TILE % LANES == 0, "a row of a tile is a whole number of strips");

struct Record {
    Surfel<float> surfel;
    Bound<float> bound;
};

static_assert(sizeof(Record) == D3D_SURFEL_FLOATS * sizeof(float), "abi_surfels.h states the size of a surfel");

inline Record* records_of(const D3dSurfelFootprints& footprints, int64_t view, int64_t count) {
    return reinterpret_cast<Record*>(footprints.surfels) + view * count;
}

inline const float* colour_of(const D3dSurfels& g, int64_t view, int64_t surfel) {
    return g.colours + view * g.view_stride + surfel * g.channels;
}

struct Range {
    int first, last;
};

inline Range tiles_between(float low_px, float high_px, int tiles) {
    float last = float(tiles - 1);
    return {int(std::max(0.f, std::floor(low_px / TILE))), int(std::min(last, std::floor(high_px / TILE)))};
}

// The columns of tiles that the bound meets between two heights relative to its middle.
inline Range columns_in_band(const Bound<float>& e, float low, float high, const Tiles& tiles) {
    float left = INFINITY, right = -INFINITY;
    for (float dy : {low, high}) {
        float discriminant = e.b * e.b * dy * dy - e.a * (e.c * dy * dy - 1);
        if (discriminant < 0) continue;
        float half = std::sqrt(discriminant) / e.a, middle = -e.b * dy / e.a;
        left = std::min(left, middle - half), right = std::max(right, middle + half);
    }
    float dy_at_right = -e.b / e.c * e.reach_x;  // where it is widest; its mirror image on the left
    if (dy_at_right >= low && dy_at_right <= high) right = e.reach_x;
    if (-dy_at_right >= low && -dy_at_right <= high) left = -e.reach_x;
    if (right < left) return {0, -1};
    return tiles_between(e.x + left - SLACK_PX, e.x + right + SLACK_PX, tiles.columns);
}

// Calls visit(tile) for every tile of the view that the bound meets, row by row.
template <class Visit>
inline void for_each_tile(const Bound<float>& e, const Tiles& tiles, Visit visit) {
    Range rows = tiles_between(e.y - e.reach_y - SLACK_PX, e.y + e.reach_y + SLACK_PX, tiles.rows);
    Range box = tiles_between(e.x - e.reach_x - SLACK_PX, e.x + e.reach_x + SLACK_PX, tiles.columns);
    bool slim = rows.first == rows.last || box.first == box.last;
    for (int row = rows.first; row <= rows.last; row++) {
        Range columns = box;
        if (!slim) {
            float low = row * TILE - e.y - SLACK_PX, high = (row + 1) * TILE - e.y + SLACK_PX;
            columns = columns_in_band(e, low, high, tiles);
        }
        for (int column = columns.first; column <= columns.last; column++) visit(row * tiles.columns + column);
    }
}

struct Strip {
    Wide x;                // the pixels' centres
    float y, left, right;  // the row's centre, and the first and last pixel's
};

// LANES strips one after the other, one in each lane.
struct Strips {
    Wide y, left, right;
};

struct Place {
    int64_t view;
    int left, top, width, height;  // of the tile and of the picture, in pixels
    int32_t first_pair, end_pair;

    Place(const D3dCameras& cameras, const Tiles& tiles, const D3dSurfelPairs& pairs, int64_t tile_of_all)
        : view(tile_of_all / tiles.count()), width(cameras.width), height(cameras.height),
          first_pair(pairs.tile_start[tile_of_all]), end_pair(pairs.tile_start[tile_of_all + 1]) {
        int64_t tile = tile_of_all % tiles.count();
        left = int(tile % tiles.columns) * TILE;
        top = int(tile / tiles.columns) * TILE;
    }

    bool inside(int pixel) const { return left + pixel % TILE < width && top + pixel / TILE < height; }

    // 1 / z of the tile's first surfel.
    float origin(const Record* records, const D3dSurfelPairs& pairs) const {
        return first_pair == end_pair ? 0 : records[pairs.pairs[2 * int64_t(first_pair)]].surfel.inverse_depth;
    }

    Strip strip(int pixel) const {
        Strip strip;
        strip.left = float(left + pixel % TILE) + 0.5f;
        strip.right = strip.left + (LANES - 1);
        strip.y = float(top + pixel / TILE) + 0.5f;
        for (int lane = 0; lane < LANES; lane++) strip.x[lane] = strip.left + float(lane);
        return strip;
    }

    Strips strips(int first_pixel) const {
        Strips strips;
        for (int lane = 0; lane < LANES; lane++) {
            int pixel = first_pixel + lane * LANES;
            strips.left[lane] = float(left + pixel % TILE) + 0.5f;
            strips.y[lane] = float(top + pixel / TILE) + 0.5f;
        }
        strips.right = strips.left + float(LANES - 1);
        return strips;
    }

    // Calls visit(pixel of the tile, pixel of its picture) for those inside the picture.
    template <class Visit>
    void for_each_pixel(Visit visit) const {
        int columns = std::min(TILE, width - left), rows = std::min(TILE, height - top);
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                visit(row * TILE + column, int64_t(top + row) * width + left + column);
    }
};

// A picture's planes of state, in the order that abi_surfels.h gives.
struct State {
    float *transmittance, *last, *median_place, *m, *mm;

    State(const D3dSurfelImages& images, const D3dCameras& cameras, int64_t view) {
        int64_t pixels = int64_t(cameras.width) * cameras.height;
        float* first = images.state + view * D3D_SURFEL_STATES * pixels;
        transmittance = first, last = first + pixels, median_place = first + 2 * pixels, m = first + 3 * pixels;
        mm = first + 4 * pixels;
    }
};

// Column `column` of rows first, first + 1, ... of a table; lanes past the last row repeat it.
inline Wide gather(const float* table, int64_t first, int64_t end, int columns, int column) {
    Wide lanes;
    for (int lane = 0; lane < LANES; lane++)
        lanes[lane] = table[std::min(first + lane, end - 1) * columns + column];
    return lanes;
}

inline SurfelShape<Wide> gather_shapes(const D3dSurfels& g, int64_t first) {
    SurfelShape<Wide> wide;
    for (int i = 0; i < 3; i++) wide.mean[i] = gather(g.means, first, g.count, 3, i);
    for (int i = 0; i < 4; i++) wide.wxyz[i] = gather(g.wxyz, first, g.count, 4, i);
    for (int i = 0; i < 2; i++) wide.scale[i] = gather(g.scales, first, g.count, 2, i);
    wide.opacity = gather(g.opacities, first, g.count, 1, 0);
    return wide;
}

// Which stretches of rows, relative to its middle, a bound meets; a little generous.
inline WideMask meets_row(Wide a, Wide b, Wide c, Wide left, Wide right, Wide dy) {
    Wide nearest = lesser(greater(-b * dy / a, left), right);
    return (nearest * a + 2 * b * dy) * nearest + c * dy * dy <= 1 + 2e-3f;
}

}  // namespace d3d::surfels
