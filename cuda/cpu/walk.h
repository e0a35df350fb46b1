// The two ways through a tile: all its splats for one strip, front to back, and all strips that one splat meets.
#pragma once

#include "strips.h"

namespace d3d {

constexpr int BATCH = 64;
constexpr int STRIPS = PIXELS / LANES;

// Splats copied side by side, so that LANES of them can be tested at once.
struct Batch {
    alignas(64) float x[BATCH], y[BATCH], a[BATCH], b[BATCH], c[BATCH], opacity[BATCH], cutoff[BATCH];
    int count = 0;

    // `splat_at(i)` is the i-th of `count` splats.
    template <class SplatAt>
    void fill(int splats, SplatAt splat_at) {
        count = splats;
        for (int i = 0; i < count; i++) set(i, splat_at(i));
        for (int i = count; i % LANES; i++) set(i, {0, 0, 1, 0, 1, 0, -1, 0, 0, 0});  // meets nothing
    }
    void set(int i, const Splat<float>& s) {
        x[i] = s.x, y[i] = s.y, a[i] = s.a, b[i] = s.b, c[i] = s.c, opacity[i] = s.opacity, cutoff[i] = s.cutoff;
    }
    Splat<float> get(int i) const { return {x[i], y[i], a[i], b[i], c[i], opacity[i], cutoff[i], 0, 0, 0}; }

    // Which of the LANES splats from `first` on meet the strip: bit i is splat first + i.
    uint32_t meeting(int first, const Strip& strip) const {
        Wide centre = load(x + first);
        return lane_bits(meets_row(load(a + first), load(b + first), load(c + first), load(cutoff + first),
                                   strip.left - centre, strip.right - centre, strip.y - load(y + first)));
    }
};

// Blends a batch into a strip, front to back, and calls visit(i, weight) for each splat that it meets. `place` is that
// of the batch's first splat in the tile's list. False when every pixel of the strip is finished.
template <class Visit>
D3D_INLINE bool walk_splats(const Batch& batch, const Strip& strip, Pixel<Wide>& pixel, int place, Visit visit) {
    bool open = any_lane(pixel.transmittance > TRANSMITTANCE_MIN);
    for (int first = 0; first < batch.count && open; first += LANES) {
        for (uint32_t left = batch.meeting(first, strip); left; left &= left - 1) {
            int i = first + __builtin_ctz(left);
            visit(i, blend(pixel, evaluate(batch.get(i), strip.x, strip.y), float(place + i)));
        }
        open = any_lane(pixel.transmittance > TRANSMITTANCE_MIN);
    }
    return open;
}

// Calls visit(first pixel of the strip) for each strip of the tile that the splat meets.
template <class Visit>
D3D_INLINE void walk_strips(const Splat<float>& splat, const Place& place, Visit visit) {
    Wide centre = fill<Wide>(splat.x), a = fill<Wide>(splat.a), b = fill<Wide>(splat.b), c = fill<Wide>(splat.c);
    constexpr int ROUND = LANES * LANES;  // pixels of LANES strips
    float above = splat.y - splat.reach_y - place.top, below = splat.y + splat.reach_y - place.top;
    int top = int(std::max(0.f, std::floor(above))) * TILE / ROUND * ROUND;
    for (int first = top; first < PIXELS && float(first / TILE) < below; first += ROUND) {
        // Lane i is strip i from `first` on: which of them the splat meets is asked at once.
        Strips strips = place.strips(first);
        uint32_t left = lane_bits(meets_row(a, b, c, fill<Wide>(splat.cutoff), strips.left - centre,
                                            strips.right - centre, strips.y - splat.y));
        for (; left; left &= left - 1) visit(first + LANES * __builtin_ctz(left));
    }
}

// Splats and slots lie far apart in memory: a loop over a tile's list asks for those of AHEAD turns later.
constexpr int AHEAD = 6;

inline void ask_for(const Splat<float>& splat, const float* slot) {
    __builtin_prefetch(&splat);
    __builtin_prefetch(slot, 1);
}

// Room for `count` floats that begins at a multiple of a lane's size.
inline int64_t whole_lanes(int64_t count) { return (count + LANES - 1) / LANES * LANES; }

// table[count] where `count` is known when compiling: `make(integral_constant)` gives the function for each count.
template <int... COUNT, class Make>
inline auto pick(int count, std::integer_sequence<int, COUNT...>, Make make) {
    using Function = decltype(make(std::integral_constant<int, 0>{}));
    static const Function table[] = {make(std::integral_constant<int, COUNT>{})...};
    return table[count];
}

}  // namespace d3d
