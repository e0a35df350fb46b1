// SSIM, a strip of columns at a time. A row of `width` pixels of `channels` numbers is one line of floats, where
// neighbours stand `channels` apart; so any number of channels fills the lanes. Down a strip, each row's four
// quantities are averaged along the row, and what that gives for the last 11 rows, which the innermost cache holds,
// over the rows.

#include <omp.h>

#include <algorithm>

#include "d3d/abi_ssim.h"
#include "d3d/ssim.h"

using namespace d3d;

namespace {

constexpr int WINDOW = 2 * SSIM_REACH + 1, STEP = 2 * LANES;
constexpr int64_t ROWS = 64, COLUMNS = 128;
static_assert(COLUMNS % STEP == 0, "a strip is filled without a rest");

struct Weights {
    float at[WINDOW];

    Weights() {
        for (int k = 0; k < WINDOW; k++) at[k] = window_weight<float>(k - SSIM_REACH);
    }
};

inline Wide load_some(const float* from, int64_t count) {
    if (count >= LANES) return load(from);
    Wide some{};
    for (int lane = 0; lane < count; lane++) some[lane] = from[lane];
    return some;
}

inline void store_some(float* to, Wide x, int64_t count) {
    if (count >= LANES) return store(to, x);
    for (int lane = 0; lane < count; lane++) to[lane] = x[lane];
}

// Four rows of floats, one for each quantity.
struct Rows {
    float* memory;
    int64_t length;

    Four<Wide> get(int64_t i) const {
        const float* at = memory + i;
        return {load(at), load(at + length), load(at + 2 * length), load(at + 3 * length)};
    }
    void put(int64_t i, const Four<Wide>& values) {
        float* at = memory + i;
        store(at, values.a), store(at + length, values.b);
        store(at + 2 * length, values.difference), store(at + 3 * length, values.product);
    }
};

// A thread's memory: one row's quantities, with `reach` floats more on either side of the strip; and their means along
// the row, for as many rows as the window has.
struct Scratch {
    int64_t reach;
    Rows row;
    float* means;

    Scratch(const D3dPicturePair& p, float* memory)
        : reach(SSIM_REACH * p.channels), row{memory, COLUMNS + 2 * reach + STEP}, means(memory + 4 * row.length) {}
    int64_t floats() const { return 4 * row.length + WINDOW * 4 * COLUMNS; }
    Rows mean_of(int64_t picture_row) const { return {means + picture_row % WINDOW * 4 * COLUMNS, COLUMNS}; }
};

struct Strip {
    int64_t view, top, bottom, left, right;

    static int64_t across(const D3dPicturePair& p) { return (p.width * p.channels + COLUMNS - 1) / COLUMNS; }
    static int64_t down(const D3dPicturePair& p) { return (p.height + ROWS - 1) / ROWS; }
    Strip(const D3dPicturePair& p, int64_t index)
        : view(index / (down(p) * across(p))), top(index / across(p) % down(p) * ROWS),
          bottom(std::min(top + ROWS, p.height)), left(index % across(p) * COLUMNS),
          right(std::min(left + COLUMNS, p.width * p.channels)) {}
};

// The quantities of a row, zeros outside the picture. get(column, count) gives them from a column on, zeros beyond
// `count`.
template <class Get>
void fill_row(const Strip& strip, int64_t line, Scratch& scratch, Get get) {
    for (int64_t i = 0; i < COLUMNS + 2 * scratch.reach; i += LANES) {
        const int64_t column = strip.left - scratch.reach + i, count = line - column;
        if (column >= 0 && count > 0)
            scratch.row.put(i, get(column, count));
        else if (column <= -LANES || count <= 0)
            scratch.row.put(i, Four<Wide>{});
        else {  // the picture begins within these lanes
            scratch.row.put(i, Four<Wide>{});
            scratch.row.put(i - column, get(0, line));
        }
    }
}

inline void mean_along(const Scratch& scratch, int64_t channels, const Weights& weights, Rows mean) {
    for (int64_t i = 0; i < COLUMNS; i += STEP) {
        Four<Wide> sum[2]{};
        for (int k = 0; k < WINDOW; k++) {
            add_weighted(sum[0], weights.at[k], scratch.row.get(i + k * channels));
            add_weighted(sum[1], weights.at[k], scratch.row.get(i + k * channels + LANES));
        }
        mean.put(i, sum[0]), mean.put(i + LANES, sum[1]);
    }
}

// use(column, count, means) takes what the windows hold.
template <class Use>
void mean_down(const Strip& strip, const Scratch& scratch, int64_t row, int64_t height, const Weights& weights, Use use) {
    const int64_t high = std::max<int64_t>(row - SSIM_REACH, 0), low = std::min(row + SSIM_REACH, height - 1);
    for (int64_t i = 0; strip.left + i < strip.right; i += STEP) {
        Four<Wide> sum[2]{};
        for (int64_t r = high; r <= low; r++) {
            const Rows mean = scratch.mean_of(r);
            const float weight = weights.at[r - row + SSIM_REACH];
            add_weighted(sum[0], weight, mean.get(i));
            add_weighted(sum[1], weight, mean.get(i + LANES));
        }
        const int64_t column = strip.left + i, count = strip.right - column;
        use(column, count, sum[0]);
        if (count > LANES) use(column + LANES, count - LANES, sum[1]);
    }
}

// get(offset, count) and use(offset, count, means) as above, at offsets into a plane.
template <class Get, class Use>
void windows(const D3dPicturePair& p, void* workspace, const D3dLaunch& launch, Get get, Use use) {
    const Weights weights;
    const int64_t line = p.width * p.channels, strips = p.views * Strip::down(p) * Strip::across(p);
#pragma omp parallel num_threads(launch.threads)
    {
        const int64_t floats = Scratch(p, nullptr).floats();
        Scratch scratch(p, static_cast<float*>(workspace) + omp_get_thread_num() * floats);
#pragma omp for schedule(dynamic, 1)
        for (int64_t index = 0; index < strips; index++) {
            const Strip strip(p, index);
            for (int64_t row = std::max<int64_t>(strip.top - SSIM_REACH, 0); row < strip.bottom + SSIM_REACH; row++) {
                const int64_t first = (strip.view * p.height + row) * line;
                if (row < p.height) {
                    fill_row(strip, line, scratch, [&](int64_t column, int64_t n) { return get(first + column, n); });
                    mean_along(scratch, p.channels, weights, scratch.mean_of(row));
                }
                const int64_t done = row - SSIM_REACH, first_done = first - SSIM_REACH * line;
                if (done >= strip.top)
                    mean_down(strip, scratch, done, p.height, weights, [&](int64_t column, int64_t n, const auto& mean) {
                        use(first_done + column, n, mean);
                    });
            }
        }
    }
}

}  // namespace

int64_t d3d_ssim_bytes(const D3dPicturePair* pair, const D3dLaunch* launch) {
    return launch->threads * Scratch(*pair, nullptr).floats() * int64_t(sizeof(float));
}

int32_t d3d_ssim(const D3dPicturePair* pair, float* map, float* slopes, void* workspace, const D3dLaunch* launch) {
    const int64_t plane = pair->views * pair->height * pair->width * pair->channels;
    windows(
        *pair, workspace, *launch,
        [&](int64_t at, int64_t count) {
            return quantities(load_some(pair->a + at, count), load_some(pair->b + at, count));
        },
        [&](int64_t at, int64_t count, const Four<Wide>& mean) {
            Four<Wide> slope;
            store_some(map + at, similarity(mean, slope), count);
            if (slopes == nullptr) return;
            store_some(slopes + at, slope.a, count), store_some(slopes + plane + at, slope.b, count);
            store_some(slopes + 2 * plane + at, slope.difference, count);
            store_some(slopes + 3 * plane + at, slope.product, count);
        });
    return D3D_OK;
}

int32_t d3d_ssim_gradient(const D3dPicturePair* pair, const float* slopes, const float* by_map, float* by_a,
                          float* by_b, void* workspace, const D3dLaunch* launch) {
    const int64_t plane = pair->views * pair->height * pair->width * pair->channels;
    windows(
        *pair, workspace, *launch,
        [&](int64_t at, int64_t count) {
            Wide g = load_some(by_map + at, count);
            return Four<Wide>{g * load_some(slopes + at, count), g * load_some(slopes + plane + at, count),
                              g * load_some(slopes + 2 * plane + at, count),
                              g * load_some(slopes + 3 * plane + at, count)};
        },
        [&](int64_t at, int64_t count, const Four<Wide>& mean) {
            Wide a, b;
            pixel_gradient(mean, load_some(pair->a + at, count), load_some(pair->b + at, count), a, b);
            store_some(by_a + at, a, count), store_some(by_b + at, b, count);
        });
    return D3D_OK;
}
