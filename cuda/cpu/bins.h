// A counting sort of primitives into picture tiles.
//
// The primitives of each view are cut into parts. Each part counts its meetings with every tile in a histogram of
// its own; one running sum turns the histograms into the places where each part writes. No two threads share a
// counter, and the result, by tile and then by primitive, is the same for any number of parts.
#pragma once

#include <algorithm>
#include <cstdint>

#include "d3d/abi.h"

namespace d3d {

struct Tiles {
    int columns, rows;

    Tiles(const D3dCameras& cameras, int tile_px)
        : columns((cameras.width + tile_px - 1) / tile_px), rows((cameras.height + tile_px - 1) / tile_px) {}
    int64_t count() const { return int64_t(columns) * rows; }
};

struct Parts {
    int64_t views, per_view, primitives;

    Parts(int64_t views, int64_t primitives, const D3dLaunch& launch)
        : views(views), per_view(views >= launch.threads ? 1 : (launch.threads + views - 1) / std::max<int64_t>(views, 1)),
          primitives(primitives) {}
    int64_t count() const { return views * per_view; }
    int64_t view(int64_t part) const { return part / per_view; }
    int64_t first(int64_t part) const { return primitives * (part % per_view) / per_view; }
    int64_t end(int64_t part) const { return primitives * (part % per_view + 1) / per_view; }
};

inline int64_t histogram_ints(const Parts& parts, const Tiles& tiles) { return parts.count() * tiles.count(); }

inline int64_t total(const int32_t* histogram, int64_t ints) {
    int64_t sum = 0;
    for (int64_t i = 0; i < ints; i++) sum += histogram[i];
    return sum;
}

// Fills tile_start and turns every count into the place of that part's first meeting with that tile.
inline void starts_from_counts(const Parts& parts, const Tiles& tiles, int32_t* histogram, int32_t* tile_start) {
    int32_t start = 0;
    for (int64_t view = 0; view < parts.views; view++) {
        for (int64_t tile = 0; tile < tiles.count(); tile++) {
            tile_start[view * tiles.count() + tile] = start;
            for (int64_t part = view * parts.per_view; part < (view + 1) * parts.per_view; part++) {
                int32_t& counted = histogram[part * tiles.count() + tile];
                int32_t here = counted;
                counted = start;
                start += here;
            }
        }
    }
    tile_start[parts.views * tiles.count()] = start;
}

}  // namespace d3d
