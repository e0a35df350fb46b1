// Which tiles a splat's ellipse {alpha >= ALPHA_MIN} meets; shared by the projection, the binning and the gradient.
#pragma once

#include <cmath>

#include "bins.h"
#include "cameras.h"
#include "d3d/abi_splat.h"
#include "d3d/splat.h"

namespace d3d {

constexpr int TILE = 16;
// Added to an ellipse's reach, so that rounding here never loses a pixel that `evaluate` would draw.
constexpr float SLACK_PX = 1e-2f;

static_assert(sizeof(Splat<float>) == D3D_FOOTPRINT_FLOATS * sizeof(float), "abi.h states the size of a splat");

struct Range {
    int first, last;
};

inline Range tiles_between(float low_px, float high_px, int tiles) {
    float last = float(tiles - 1);
    return {int(std::max(0.f, std::floor(low_px / TILE))), int(std::min(last, std::floor(high_px / TILE)))};
}

// The columns of tiles that the ellipse meets between two heights above its centre.
inline Range columns_in_band(const Splat<float>& s, float low, float high, const Tiles& tiles) {
    float left = INFINITY, right = -INFINITY;
    for (float dy : {low, high}) {
        float discriminant = s.b * s.b * dy * dy - s.a * (s.c * dy * dy - 2 * s.cutoff);
        if (discriminant < 0) continue;
        float half = std::sqrt(discriminant) / s.a, middle = -s.b * dy / s.a;
        left = std::min(left, middle - half), right = std::max(right, middle + half);
    }
    float dy_at_right = -s.b / s.c * s.reach_x;  // where the ellipse is widest; its mirror image on the left
    if (dy_at_right >= low && dy_at_right <= high) right = s.reach_x;
    if (-dy_at_right >= low && -dy_at_right <= high) left = -s.reach_x;
    if (right < left) return {0, -1};
    return tiles_between(s.x + left - SLACK_PX, s.x + right + SLACK_PX, tiles.columns);
}

// Calls visit(tile) for every tile of the view that the splat's ellipse meets, row by row.
template <class Visit>
inline void for_each_tile(const Splat<float>& s, const Tiles& tiles, Visit visit) {
    Range rows = tiles_between(s.y - s.reach_y - SLACK_PX, s.y + s.reach_y + SLACK_PX, tiles.rows);
    Range box = tiles_between(s.x - s.reach_x - SLACK_PX, s.x + s.reach_x + SLACK_PX, tiles.columns);
    bool slim = rows.first == rows.last || box.first == box.last;
    for (int row = rows.first; row <= rows.last; row++) {
        Range columns = box;
        if (!slim) {
            float low = row * TILE - s.y - SLACK_PX, high = (row + 1) * TILE - s.y + SLACK_PX;
            columns = columns_in_band(s, low, high, tiles);
        }
        for (int column = columns.first; column <= columns.last; column++) visit(row * tiles.columns + column);
    }
}

// Column `column` of rows first, first + 1, ... of a table; lanes past the last row repeat it.
inline Wide gather(const float* table, int64_t first, int64_t end, int columns, int column) {
    Wide lanes;
    for (int lane = 0; lane < LANES; lane++)
        lanes[lane] = table[std::min(first + lane, end - 1) * columns + column];
    return lanes;
}

inline Gaussian<Wide> gather_gaussians(const D3dGaussians& g, int64_t first) {
    Gaussian<Wide> wide;
    for (int i = 0; i < 3; i++) wide.mean[i] = gather(g.means, first, g.count, 3, i);
    for (int i = 0; i < 4; i++) wide.wxyz[i] = gather(g.wxyz, first, g.count, 4, i);
    for (int i = 0; i < 3; i++) wide.scale[i] = gather(g.scales, first, g.count, 3, i);
    wide.opacity = gather(g.opacities, first, g.count, 1, 0);
    return wide;
}

}  // namespace d3d
