// Tiles of 16 x 16 pixels: which of them a splat's ellipse {alpha >= ALPHA_MIN} meets, and which pixels a thread draws.
#pragma once

#include "device.h"
#include "d3d/abi_splat.h"
#include "d3d/splat.h"

namespace d3d {

constexpr int TILE = 16, PIXELS = TILE * TILE;
// A warp draws a block of 8 x 4 pixels, so that it meets fewer splats than two rows would.
constexpr int WARP_COLUMNS = 8, WARP_ROWS = 4, WARPS = PIXELS / WARP;
// Added to an ellipse's reach, so that rounding here never loses a pixel that `evaluate` would draw.
constexpr float SLACK_PX = 1e-2f;

static_assert(sizeof(Splat<float>) == D3D_FOOTPRINT_FLOATS * sizeof(float), "abi_splat.h states the size of a splat");

struct Tiles {
    int columns, rows;

    D3D_INLINE explicit Tiles(const D3dCameras& cameras)
        : columns((cameras.width + TILE - 1) / TILE), rows((cameras.height + TILE - 1) / TILE) {}
    D3D_INLINE int64_t count() const { return int64_t(columns) * rows; }
};

struct Range {
    int first, last;  // none where last < first

    D3D_INLINE int count() const { return last < first ? 0 : last - first + 1; }
};

D3D_INLINE Range tiles_between(float low_px, float high_px, int tiles) {
    return {int(fmaxf(0.f, floorf(low_px / TILE))), int(fminf(float(tiles - 1), floorf(high_px / TILE)))};
}

// The tiles of a splat's box, and row by row those of its ellipse.
struct Footing {
    Splat<float> splat;
    Range rows, box;

    D3D_INLINE Footing(const Splat<float>& s, const Tiles& tiles)
        : splat(s), rows(tiles_between(s.y - s.reach_y - SLACK_PX, s.y + s.reach_y + SLACK_PX, tiles.rows)),
          box(tiles_between(s.x - s.reach_x - SLACK_PX, s.x + s.reach_x + SLACK_PX, tiles.columns)) {}

    D3D_INLINE Range columns(int row, const Tiles& tiles) const {
        if (rows.first == rows.last || box.first == box.last) return box;
        const Splat<float>& s = splat;
        float low = row * TILE - s.y - SLACK_PX, high = (row + 1) * TILE - s.y + SLACK_PX;
        float left = INFINITY, right = -INFINITY;
        for (int edge = 0; edge < 2; edge++) {
            float dy = edge ? high : low;
            float discriminant = s.b * s.b * dy * dy - s.a * (s.c * dy * dy - 2 * s.cutoff);
            if (discriminant < 0) continue;
            float half = sqrtf(discriminant) / s.a, middle = -s.b * dy / s.a;
            left = fminf(left, middle - half), right = fmaxf(right, middle + half);
        }
        float dy_at_right = -s.b / s.c * s.reach_x;  // where the ellipse is widest; its mirror image on the left
        if (dy_at_right >= low && dy_at_right <= high) right = s.reach_x;
        if (-dy_at_right >= low && -dy_at_right <= high) left = -s.reach_x;
        if (right < left) return {0, -1};
        return tiles_between(s.x + left - SLACK_PX, s.x + right + SLACK_PX, tiles.columns);
    }

    D3D_INLINE int count(const Tiles& tiles) const {
        int sum = 0;
        for (int row = rows.first; row <= rows.last; row++) sum += columns(row, tiles).count();
        return sum;
    }
};

// One thread of a block that draws a tile: blockIdx.x is the tile of all views.
struct Place {
    int view, x, y;              // the thread's pixel; it may lie outside the picture
    int warp_x, warp_y;          // the first pixel of its warp
    int64_t at;                  // the pixel in all pictures
    bool inside;
    const int32_t* list;         // the footprints that the tile may meet, front to back
    int listed;
    int32_t first, end;          // the footprints of the view; a list may have others

    __device__ __forceinline__ Place(const D3dCameras& cameras, int64_t count, const D3dFootprints& footprints,
                                     const D3dPairs& pairs) {
        Tiles tiles(cameras);
        const int tile = int(blockIdx.x % tiles.count()), warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
        view = int(blockIdx.x / tiles.count());
        warp_x = tile % tiles.columns * TILE + warp % (TILE / WARP_COLUMNS) * WARP_COLUMNS;
        warp_y = tile / tiles.columns * TILE + warp / (TILE / WARP_COLUMNS) * WARP_ROWS;
        x = warp_x + lane % WARP_COLUMNS, y = warp_y + lane / WARP_COLUMNS;
        inside = x < cameras.width && y < cameras.height;
        at = (int64_t(view) * cameras.height + y) * cameras.width + x;
        first = int32_t(view * count), end = int32_t(first + count);
        const bool fits = *pairs.needed <= pairs.capacity;
        const int32_t start = fits ? pairs.tile_start[blockIdx.x] : 0;
        list = fits ? pairs.pairs + start : footprints.first_slot;
        listed = fits ? pairs.tile_start[blockIdx.x + 1] - start : footprints.first_slot[cameras.views * count];
    }
    __device__ __forceinline__ bool owns(int32_t footprint) const { return footprint >= first && footprint < end; }
    __device__ __forceinline__ float centre_x() const { return float(x) + 0.5f; }
    __device__ __forceinline__ float centre_y() const { return float(y) + 0.5f; }
    // The same for pixel 0 .. 31 of the warp.
    __device__ __forceinline__ float warp_centre_x(int p) const { return float(warp_x + p % WARP_COLUMNS) + 0.5f; }
    __device__ __forceinline__ float warp_centre_y(int p) const { return float(warp_y + p / WARP_COLUMNS) + 0.5f; }

    // Whether the splat's ellipse meets the warp's pixels. The exponent grows along every ray from the centre, so its
    // least value over a rectangle lies on an edge that faces the centre.
    __device__ __forceinline__ bool meets_warp(const Splat<float>& s) const {
        float left = float(warp_x) + 0.5f - s.x, right = left + (WARP_COLUMNS - 1);
        float top = float(warp_y) + 0.5f - s.y, bottom = top + (WARP_ROWS - 1);
        float near_x = fminf(fmaxf(0.f, left), right), near_y = fminf(fmaxf(0.f, top), bottom);
        float across_y = fminf(fmaxf(-s.b * near_x / s.c, top), bottom);
        float across_x = fminf(fmaxf(-s.b * near_y / s.a, left), right);
        float least = fminf(exponent_at(s.a, s.b, s.c, near_x, across_y), exponent_at(s.a, s.b, s.c, across_x, near_y));
        return least <= s.cutoff + 1e-3f;
    }
};

inline Grid grid_of_tiles(const D3dCameras& cameras, int layers, size_t shared_bytes = 0) {
    return {dim3(unsigned(cameras.views * Tiles(cameras).count()), unsigned(layers)), PIXELS, shared_bytes};
}

}  // namespace d3d
