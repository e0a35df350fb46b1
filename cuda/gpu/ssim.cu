// SSIM on a GPU. A block walks down a strip of columns. Each thread keeps the last 11 rows' quantities of its column
// in registers and sums them over the rows; the row of sums goes through shared memory, where the threads that are
// not at the strip's border sum over the columns. A row of pixels is one line of floats, of which neighbours stand
// `channels` apart, so that loads are coalesced; of more than 8 channels a block takes 8 at a time.

#include "d3d/abi_ssim.h"
#include "d3d/ssim.h"
#include "device.h"

using namespace d3d;

namespace {

constexpr int WINDOW = 2 * SSIM_REACH + 1, THREADS = 256, ROWS = 32, GROUP = 8;

struct alignas(16) Sums {
    Four<float> four;
};

struct Strips {
    int64_t height, width, channels;
    int group;                            // channels that a block takes
    int64_t groups, across, down, count;  // strips: of a pixel, along a row, down a picture, in all

    explicit Strips(const D3dPicturePair& p)
        : height(p.height), width(p.width), channels(p.channels), group(int(channels < GROUP ? channels : GROUP)),
          groups((channels + group - 1) / group), across((width * group + inner() - 1) / inner()),
          down((height + ROWS - 1) / ROWS), count(p.views * down * across * groups) {}
    // Columns of a strip that the windows of all threads' columns reach.
    __host__ __device__ int inner() const { return THREADS - 2 * SSIM_REACH * group; }
};

// One thread's column in the strip of its block.
struct Column {
    int64_t first;     // the offset of its pixel in row 0 of its view
    int64_t top, end;  // the rows that the strip answers for
    bool in_picture, answers;

    __device__ Column(const Strips& strips, int64_t strip) {
        const int64_t group = strip % strips.groups, along = strip / strips.groups % strips.across;
        const int64_t down = strip / (strips.groups * strips.across) % strips.down;
        const int64_t view = strip / (strips.groups * strips.across * strips.down);
        const int reach = SSIM_REACH * strips.group, thread = int(threadIdx.x);
        const int64_t in_line = along * strips.inner() - reach + thread;
        const int64_t pixel = in_line < 0 ? 0 : in_line / strips.group;
        const int64_t channel = group * strips.group + (in_line < 0 ? 0 : in_line % strips.group);
        in_picture = in_line >= 0 && pixel < strips.width && channel < strips.channels;
        answers = in_picture && thread >= reach && thread < THREADS - reach;
        first = (view * strips.height * strips.width + pixel) * strips.channels + channel;
        top = down * ROWS;
        end = top + ROWS < strips.height ? top + ROWS : strips.height;
    }
};

// Data::get(offset) gives the quantities of a pixel, Data::put(offset, means) takes what its window holds.
template <class Data>
__global__ void __launch_bounds__(THREADS, 2) windows(Strips strips, Data data) {
    SHARED(Sums[2][THREADS], line);
    const Column column(strips, blockIdx.x);
    const int64_t row_floats = strips.width * strips.channels;
    auto quantities_of = [&](int64_t row) {
        const bool there = column.in_picture && row >= 0 && row < strips.height;
        return there ? data.get(column.first + row * row_floats) : Four<float>{};
    };
    Four<float> past[WINDOW] = {}, coming = quantities_of(column.top - SSIM_REACH);
#pragma unroll 11
    for (int64_t row = column.top - SSIM_REACH; row < column.end + SSIM_REACH; row++) {
        for (int k = 0; k + 1 < WINDOW; k++) past[k] = past[k + 1];
        past[WINDOW - 1] = coming;
        coming = quantities_of(row + 1);  // on its way while this row is summed

        const int64_t answered = row - SSIM_REACH;
        if (answered < column.top) continue;
        Four<float> sum{};
        for (int k = 0; k < WINDOW; k++) add_weighted(sum, window_weight<float>(k - SSIM_REACH), past[k]);
        const int turn = int(answered & 1);  // the other line may still be read
        line[turn][threadIdx.x].four = sum;
        __syncthreads();
        if (!column.answers) continue;
        Four<float> mean{};
        for (int k = -SSIM_REACH; k <= SSIM_REACH; k++)
            add_weighted(mean, window_weight<float>(k), line[turn][int(threadIdx.x) + k * strips.group].four);
        data.put(column.first + answered * row_floats, mean);
    }
}

struct Forward {
    const float *a, *b;
    float *map, *slopes;
    int64_t plane;

    __device__ Four<float> get(int64_t at) const { return quantities(a[at], b[at]); }
    __device__ void put(int64_t at, const Four<float>& mean) const {
        Four<float> slope;
        map[at] = similarity(mean, slope);
        if (slopes == nullptr) return;
        slopes[at] = slope.a, slopes[plane + at] = slope.b;
        slopes[2 * plane + at] = slope.difference, slopes[3 * plane + at] = slope.product;
    }
};

struct Backward {
    const float *a, *b, *slopes, *by_map;
    float *by_a, *by_b;
    int64_t plane;

    __device__ Four<float> get(int64_t at) const {
        const float g = by_map[at];
        return {g * slopes[at], g * slopes[plane + at], g * slopes[2 * plane + at], g * slopes[3 * plane + at]};
    }
    __device__ void put(int64_t at, const Four<float>& mean) const {
        pixel_gradient(mean, a[at], b[at], by_a[at], by_b[at]);
    }
};

template <class Data>
int32_t run(const D3dPicturePair& pair, const Data& data, const D3dLaunch& launch) {
    const Strips strips(pair);
    Stream stream(launch);
    stream.run(windows<Data>, Grid(unsigned(strips.count), THREADS), strips, data);
    return stream.status();
}

int64_t plane_of(const D3dPicturePair& p) { return p.views * p.height * p.width * p.channels; }

}  // namespace

int64_t d3d_ssim_bytes(const D3dPicturePair*, const D3dLaunch*) { return 0; }

int32_t d3d_ssim(const D3dPicturePair* pair, float* map, float* slopes, void*, const D3dLaunch* launch) {
    return run(*pair, Forward{pair->a, pair->b, map, slopes, plane_of(*pair)}, *launch);
}

int32_t d3d_ssim_gradient(const D3dPicturePair* pair, const float* slopes, const float* by_map, float* by_a,
                          float* by_b, void*, const D3dLaunch* launch) {
    return run(*pair, Backward{pair->a, pair->b, slopes, by_map, by_a, by_b, plane_of(*pair)}, *launch);
}
