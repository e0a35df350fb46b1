// Each tile's splats, front to back: footprints are sorted by depth, write their pairs with tiles in that order, and
// the pairs are sorted by tile alone, which keeps it. Twelve or so bits of tile cost two passes over the pairs, where
// tile and depth together would cost six.
//
// D3dPairs.pairs holds two arrays here, [capacity] footprints and [capacity] tiles of all views. What is past the
// pairs has the tile ~0, which sorts last. D3dFootprints.first_slot holds all footprints by depth, and behind them how
// many are drawn. With more pairs than the capacity that is the list of every tile: the pictures are right
// and late, and nobody has to wait for the number of pairs before it is known.

#include "primitives.h"
#include "tiles.h"
#include "warp.h"

using namespace d3d;

namespace {

constexpr int THREADS = 128;
constexpr int FEW_TILES = 16;  // a splat with more is shared among the lanes of its warp

struct Workspace {
    Arena arena;
    uint32_t *depths, *sorted_depths, *ids, *tiles, *footprints;
    int32_t* starts;  // where each footprint's pairs begin, by depth
    void* scratch;

    Workspace(int64_t count, int64_t capacity, void* memory) : arena(memory) {
        depths = arena.take<uint32_t>(count), sorted_depths = arena.take<uint32_t>(count);
        ids = arena.take<uint32_t>(count), starts = arena.take<int32_t>(count);
        tiles = arena.take<uint32_t>(capacity), footprints = arena.take<uint32_t>(capacity);
        int64_t bytes = sort_bytes<uint32_t>(count > capacity ? count : capacity);
        int64_t sums = running_sum_bytes<int32_t>(count);
        scratch = arena.take<char>(bytes > sums ? bytes : sums);
    }
};

__global__ void depths_of_footprints(int64_t footprints, const Splat<float>* splats, const int32_t* touched,
                                     uint32_t* depths, uint32_t* ids) {
    int64_t i = thread_of_grid();
    if (i >= footprints) return;
    depths[i] = touched[i] ? __float_as_uint(splats[i].depth) : ~0u;  // the bits of a positive float order as it does
    ids[i] = uint32_t(i);
}

// Also how many are drawn, which come first.
__global__ void touched_by_depth(int64_t footprints, const int32_t* touched, const uint32_t* by_depth, int32_t* counts,
                                 int32_t* drawn) {
    int64_t i = thread_of_grid();
    if (i >= footprints) return;
    counts[i] = touched[by_depth[i]];
    if (counts[i] && (i + 1 == footprints || !touched[by_depth[i + 1]])) *drawn = int32_t(i + 1);
}

// Where a warp's pairs go.
struct Pairs {
    Tiles tiles;
    uint32_t *tile_of, *footprint_of;

    __device__ __forceinline__ int write(int at, uint32_t footprint, int64_t first_tile, int row, Range columns) const {
        for (int column = columns.first; column <= columns.last; column++, at++) {
            tile_of[at] = uint32_t(first_tile + row * tiles.columns + column);
            footprint_of[at] = footprint;
        }
        return at;
    }
    __device__ void write_alone(const Splat<float>& s, uint32_t footprint, int64_t first_tile, int at) const {
        Footing footing(s, tiles);
        for (int row = footing.rows.first; row <= footing.rows.last; row++)
            at = write(at, footprint, first_tile, row, footing.columns(row, tiles));
    }
    // Each lane takes a row.
    __device__ void write_together(const Splat<float>& s, uint32_t footprint, int64_t first_tile, int at) const {
        Footing footing(s, tiles);
        for (int first = footing.rows.first; first <= footing.rows.last; first += WARP) {
            int row = first + lane_of_warp();
            Range columns = row <= footing.rows.last ? footing.columns(row, tiles) : Range{0, -1};
            int upto = warp_running_sum(columns.count());
            write(at + upto - columns.count(), footprint, first_tile, row, columns);
            at += __shfl_sync(ALL_LANES, upto, WARP - 1);
        }
    }
};

__global__ void __launch_bounds__(THREADS)
    write_pairs(D3dCameras cameras, int64_t count, const Splat<float>* splats, const int32_t* touched,
                const uint32_t* by_depth, const int32_t* starts, D3dPairs pairs, uint32_t* tile_of, uint32_t* footprint_of) {
    if (*pairs.needed > pairs.capacity) return;
    const int64_t i = thread_of_grid(), footprints = cameras.views * count;
    const uint32_t footprint = i < footprints ? by_depth[i] : 0;
    const int tiles = i < footprints ? touched[footprint] : 0, start = i < footprints ? starts[i] : 0;
    const Pairs out{Tiles(cameras), tile_of, footprint_of};
    auto first_tile = [&](uint32_t of) { return of / count * out.tiles.count(); };
    if (tiles && tiles <= FEW_TILES)
        out.write_alone(splats[footprint], footprint, first_tile(footprint), start);
    for (unsigned left = __ballot_sync(ALL_LANES, tiles > FEW_TILES); left; left &= left - 1) {
        int lane = __ffs(left) - 1;
        uint32_t of_lane = __shfl_sync(ALL_LANES, footprint, lane);
        int start_of_lane = __shfl_sync(ALL_LANES, start, lane);
        out.write_together(splats[of_lane], of_lane, first_tile(of_lane), start_of_lane);
    }
}

// The first pair whose tile is not before each tile.
__global__ void starts_of_tiles(int64_t tiles, int64_t capacity, const uint32_t* tile_of, int32_t* tile_start) {
    int64_t tile = thread_of_grid();
    if (tile > tiles) return;
    int64_t low = 0, high = capacity;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (tile_of[middle] < uint32_t(tile))
            low = middle + 1;
        else
            high = middle;
    }
    tile_start[tile] = int32_t(low);
}

// Bits that tell all tiles apart, and from ~0.
int bits_for(int64_t tiles) {
    int bits = 1;
    while (int64_t(1) << bits <= tiles) bits++;
    return bits;
}

}  // namespace

int64_t d3d_splat_bin_bytes(const D3dCameras* cameras, int64_t count, int64_t capacity, const D3dLaunch*) {
    return Workspace(cameras->views * count, capacity, nullptr).arena.bytes();
}

int32_t d3d_splat_bin(const D3dCameras* cameras, int64_t count, const D3dFootprints* footprints, void* histogram,
                      const D3dPairs* pairs, void* workspace, const D3dLaunch* launch) {
    const int64_t all = cameras->views * count, tiles = cameras->views * Tiles(*cameras).count();
    if (all >= INT32_MAX || pairs->capacity >= INT32_MAX || tiles >= INT32_MAX) return D3D_TOO_MANY_PAIRS;
    Workspace w(all, pairs->capacity, workspace);
    auto touched = static_cast<const int32_t*>(histogram);
    const Splat<float>* splats = reinterpret_cast<const Splat<float>*>(footprints->splats);
    auto by_depth = reinterpret_cast<uint32_t*>(footprints->first_slot);
    auto footprint_of = reinterpret_cast<uint32_t*>(pairs->pairs), tile_of = footprint_of + pairs->capacity;
    Stream stream(*launch);
    stream.run(depths_of_footprints, Grid::over(all, THREADS), all, splats, touched, w.depths, w.ids);
    sort_by_key<uint32_t>(stream, {w.depths, w.sorted_depths}, {w.ids, by_depth}, all, 0, 32, w.scratch);
    stream.zero(footprints->first_slot + all, sizeof(int32_t));
    stream.run(touched_by_depth, Grid::over(all, THREADS), all, touched, by_depth, w.starts, footprints->first_slot + all);
    running_sum<int32_t>(stream, {w.starts, w.starts}, all, w.scratch);

    stream.fill(w.tiles, 0xff, pairs->capacity * int64_t(sizeof(uint32_t)));
    stream.run(write_pairs, Grid::over(all, THREADS), *cameras, count, splats, touched, by_depth,
               w.starts, *pairs, w.tiles, w.footprints);
    sort_by_key<uint32_t>(stream, {w.tiles, tile_of}, {w.footprints, footprint_of}, pairs->capacity, 0, bits_for(tiles),
                          w.scratch);
    stream.run(starts_of_tiles, Grid::over(tiles + 1, THREADS), tiles, pairs->capacity, tile_of, pairs->tile_start);
    return stream.status();
}
