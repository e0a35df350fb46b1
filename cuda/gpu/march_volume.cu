// Packed samples to what rays see, and back; and running sums and products. A warp works along each ray, 32 samples
// at a time, and carries what lies before them.

#include "d3d/volume.h"

#include "d3d/abi_march.h"
#include "d3d/scan.h"
#include "device.h"
#include "warp.h"

using namespace d3d;

namespace {

constexpr int THREADS = 256;
constexpr int CHANNELS_AT_ONCE = 8;

__device__ int64_t warp_of_grid() { return thread_of_grid() / WARP; }

template <class T>
__device__ T of_last_lane(T value) {
    return __shfl_sync(ALL_LANES, value, WARP - 1);
}

// The product over all lower lanes times `carried`, which goes on to include this warp's.
__device__ float running_product(float value, float& carried) {
    float all = value;
    for (int by = 1; by < WARP; by *= 2) {
        float lower = __shfl_up_sync(ALL_LANES, all, by);
        if (lane_of_warp() >= by) all *= lower;
    }
    float before = __shfl_up_sync(ALL_LANES, all, 1);
    before = carried * (lane_of_warp() == 0 ? 1.f : before);
    carried *= of_last_lane(all);
    return before;
}

// The same for sums.
__device__ float running_total(float value, float& carried) {
    float all = warp_running_sum(value);
    float before = __shfl_up_sync(ALL_LANES, all, 1);
    before = carried + (lane_of_warp() == 0 ? 0.f : before);
    carried += of_last_lane(all);
    return before;
}

__device__ bool healthy_values(const D3dVolume& v, int64_t sample) {
    float sum = 0;
    for (int channel = 0; channel < v.channels; channel++) {
        float value = v.values[sample * v.channels + channel];
        sum += value - value;
    }
    return sum == 0;
}

__device__ Optical<float> optical_of(const D3dVolume& v, int64_t sample, float speed) {
    return optical_depth(v.log_density[sample], (v.ends[sample] - v.starts[sample]) * speed);
}

__global__ void transmit(D3dVolume v, float* transmittance) {
    int64_t ray = warp_of_grid();
    if (ray >= v.rays) return;  // the whole warp
    const int64_t end = v.offsets[ray + 1];
    float light = 1;
    for (int64_t first = v.offsets[ray]; first < end; first += WARP) {
        int64_t i = first + lane_of_warp();
        float passing = i < end ? exponential(-optical_of(v, i, v.speeds[ray]).depth) : 1.f;
        float reaching = running_product(passing, light);
        if (i < end) transmittance[i] = reaching > LIGHT_MIN ? reaching : 0.f;
    }
}

__global__ void composite(D3dVolume v, D3dRayImages images) {
    int64_t ray = warp_of_grid();
    if (ray >= v.rays) return;  // the whole warp
    const int64_t begin = v.offsets[ray], end = v.offsets[ray + 1];
    float light = 1, depth = 0, distortion = 0;
    Front<float> all{};
    for (int64_t first = begin; first < end; first += WARP) {
        int64_t i = first + lane_of_warp();
        bool there = i < end;
        bool absorbs = there && healthy_values(v, i);
        float passing = absorbs ? exponential(-optical_of(v, i, v.speeds[ray]).depth) : 1.f;
        float reaching = running_product(passing, light);
        bool open = there && reaching > LIGHT_MIN;
        float w = open ? reaching * (1 - passing) : 0.f;
        float t = there ? 0.5f * (v.starts[i] + v.ends[i]) : 0.f;
        Front<float> front;
        front.weight = running_total(w, all.weight);
        front.weighted_t = running_total(w * t, all.weighted_t);
        if (!there) continue;
        depth += w * t;
        distortion += distort(front, w, t, v.ends[i] - v.starts[i]);
        images.weights[i] = w;
        images.behind[i] = open ? reaching * passing : -1.f;
    }
    depth = warp_sum(depth), distortion = warp_sum(distortion);
    if (lane_of_warp() == 0)
        images.alpha[ray] = all.weight, images.depth[ray] = depth, images.distortion[ray] = distortion;

    for (int chunk = 0; chunk < v.channels; chunk += CHANNELS_AT_ONCE) {
        int channels = v.channels - chunk < CHANNELS_AT_ONCE ? v.channels - chunk : CHANNELS_AT_ONCE;
        float sums[CHANNELS_AT_ONCE] = {};
        for (int64_t i = begin + lane_of_warp(); i < end; i += WARP) {
            float w = images.weights[i];
            if (w == 0) continue;
            const float* values = v.values + i * v.channels + chunk;
#pragma unroll
            for (int channel = 0; channel < CHANNELS_AT_ONCE; channel++)
                if (channel < channels) sums[channel] += w * values[channel];
        }
#pragma unroll
        for (int channel = 0; channel < CHANNELS_AT_ONCE; channel++) {
            float sum = warp_sum(sums[channel]);
            if (channel < channels && lane_of_warp() == 0) images.values[ray * v.channels + chunk + channel] = sum;
        }
    }
}

// All that is in a ray: the sums of w and of w t, in every lane.
__device__ Front<float> sums_of(const D3dVolume& v, const float* weights, int64_t begin, int64_t end) {
    Front<float> all{};
    for (int64_t i = begin + lane_of_warp(); i < end; i += WARP) {
        all.weight += weights[i];
        all.weighted_t += weights[i] * 0.5f * (v.starts[i] + v.ends[i]);
    }
    return {warp_sum(all.weight), warp_sum(all.weighted_t)};
}

// Back to front: lane 0 has the farthest sample.
__global__ void composite_gradient(D3dVolume v, D3dRayImages images, D3dRayImageGradients by, float* by_log_density,
                                   float* by_values) {
    int64_t ray = warp_of_grid();
    if (ray >= v.rays) return;  // the whole warp
    const int64_t begin = v.offsets[ray], end = v.offsets[ray + 1];
    const float* by_ray = by.values + ray * v.channels;
    const float by_distortion = by.distortion[ray];
    Front<float> all = by_distortion == 0 ? Front<float>{} : sums_of(v, images.weights, begin, end), behind{};
    float beyond = 0;
    for (int64_t last = end - 1; last >= begin; last -= WARP) {
        int64_t i = last - lane_of_warp();
        bool there = i >= begin;
        float w = there ? images.weights[i] : 0.f, t = 0, length = 0, shade = 0;
        bool learns = there && images.behind[i] >= 0 && healthy_values(v, i);
        if (there) t = 0.5f * (v.starts[i] + v.ends[i]), length = v.ends[i] - v.starts[i];
        if (by_distortion != 0) {
            Front<float> back;
            back.weight = running_total(w, behind.weight);
            back.weighted_t = running_total(w * t, behind.weighted_t);
            Front<float> front{all.weight - back.weight - w, all.weighted_t - back.weighted_t - w * t};
            shade = by_distortion * distort_gradient(front, back, w, t, length);
        }
        if (learns) {
            shade += by.alpha[ray] + by.depth[ray] * t + by.weights[i];
            for (int channel = 0; channel < v.channels; channel++)
                shade += by_ray[channel] * v.values[i * v.channels + channel];
        }
        shade = learns ? shade : 0.f;
        float farther = running_total(w * shade, beyond);
        if (there)
            by_log_density[i] =
                learns ? optical_of(v, i, v.speeds[ray]).slope * absorb_gradient(shade, images.behind[i], farther) : 0.f;

        // The values' gradients side by side: the warp's samples are one row of memory.
        int64_t first = last - (WARP - 1);
        for (int64_t at = lane_of_warp(); at < int64_t(WARP) * v.channels; at += WARP) {
            int sample = int(at / v.channels), channel = int(at % v.channels);
            float its_w = __shfl_sync(ALL_LANES, w, WARP - 1 - sample);
            if (first + sample >= begin) by_values[first * v.channels + at] = its_w * by_ray[channel];
        }
    }
}

__global__ void resample_rays(int64_t rays, const int32_t* offsets, const float* starts, const float* ends,
                              const float* weights, const float* jitter, int32_t count, float* edges) {
    int64_t ray = thread_of_grid();
    if (ray >= rays) return;
    int64_t first = offsets[ray];
    resample_ray(starts + first, ends + first, weights + first, offsets[ray + 1] - first, jitter[ray], count,
                 edges + ray * (count + 1));
}

__device__ float running(Sum, float value, float& carried) { return running_total(value, carried); }
__device__ float running(Product, float value, float& carried) { return running_product(value, carried); }

template <class Kind>
__global__ void scan(bool exclusive, int64_t rays, const int32_t* offsets, const float* values, float* results) {
    int64_t ray = warp_of_grid();
    if (ray >= rays) return;  // the whole warp
    const int64_t end = offsets[ray + 1];
    float all = Kind::template start<float>();
    for (int64_t first = offsets[ray]; first < end; first += WARP) {
        int64_t i = first + lane_of_warp();
        float value = i < end ? values[i] : Kind::template start<float>();
        float before = running(Kind(), value, all);
        if (i < end) results[i] = exclusive ? before : Kind::join(before, value);
    }
}

// What goes on in front of some entries: added + kept * what comes from behind them.
struct Passing {
    float added, kept;
};

// That of all lower lanes, nearest first, applied to `carried`, which goes on to include this warp's.
__device__ float running_passing(Passing all, float& carried) {
    for (int by = 1; by < WARP; by *= 2) {
        Passing lower{__shfl_up_sync(ALL_LANES, all.added, by), __shfl_up_sync(ALL_LANES, all.kept, by)};
        if (lane_of_warp() >= by) all = {all.added + all.kept * lower.added, all.kept * lower.kept};
    }
    float after = all.added + all.kept * carried, before = __shfl_up_sync(ALL_LANES, after, 1);
    before = lane_of_warp() == 0 ? carried : before;
    carried = of_last_lane(after);
    return before;
}

// by_values holds the exclusive scan, and then the gradient. Back to front: lane 0 has the last entry.
template <class Kind>
__global__ void scan_gradient(bool exclusive, int64_t rays, const int32_t* offsets, const float* values,
                              const float* by_results, float* by_values) {
    int64_t ray = warp_of_grid();
    if (ray >= rays) return;  // the whole warp
    const int64_t begin = offsets[ray];
    float carried = 0;
    for (int64_t last = int64_t(offsets[ray + 1]) - 1; last >= begin; last -= WARP) {
        int64_t i = last - lane_of_warp();
        bool there = i >= begin;
        float g = there ? by_results[i] : 0.f, kept = there ? Kind::carry(values[i], 1.f) : 1.f;
        float after = running_passing({exclusive ? g : kept * g, kept}, carried);
        if (there) by_values[i] = Kind::gradient(by_values[i], exclusive ? after : after + g);
    }
}

Grid over_rays(int64_t rays) { return Grid::over(rays * WARP, THREADS); }

}  // namespace

int32_t d3d_volume_transmittance(const D3dVolume* v, float* transmittance, const D3dLaunch* launch) {
    Stream stream(*launch);
    stream.zero(transmittance, v->capacity * int64_t(sizeof(float)));
    stream.run(transmit, over_rays(v->rays), *v, transmittance);
    return stream.status();
}

int32_t d3d_volume_composite(const D3dVolume* v, const D3dRayImages* images, const D3dLaunch* launch) {
    Stream stream(*launch);
    stream.zero(images->weights, v->capacity * int64_t(sizeof(float)));
    stream.fill(images->behind, 0xbf, v->capacity * int64_t(sizeof(float)));  // a negative number, -1.498
    stream.run(composite, over_rays(v->rays), *v, *images);
    return stream.status();
}

int32_t d3d_volume_gradient(const D3dVolume* v, const D3dRayImages* images, const D3dRayImageGradients* by,
                            float* by_log_density, float* by_values, const D3dLaunch* launch) {
    Stream stream(*launch);
    const int64_t bytes = v->capacity * int64_t(sizeof(float));
    stream.zero(by_log_density, bytes);
    stream.zero(by_values, bytes * v->channels);
    stream.run(composite_gradient, over_rays(v->rays), *v, *images, *by, by_log_density, by_values);
    return stream.status();
}

int32_t d3d_volume_resample(int64_t rays, const int32_t* offsets, const float* starts, const float* ends,
                            const float* weights, const float* jitter, int32_t count, float* edges,
                            const D3dLaunch* launch) {
    Stream stream(*launch);
    stream.run(resample_rays, Grid::over(rays, THREADS), rays, offsets, starts, ends, weights, jitter, count, edges);
    return stream.status();
}

int32_t d3d_scan(int32_t kind, int32_t exclusive, int64_t rays, int64_t capacity, const int32_t* offsets,
                 const float* values, float* results, const D3dLaunch* launch) {
    Stream stream(*launch);
    stream.zero(results, capacity * int64_t(sizeof(float)));
    auto* run = kind == D3D_SUM ? scan<Sum> : scan<Product>;
    stream.run(run, over_rays(rays), exclusive != 0, rays, offsets, values, results);
    return stream.status();
}

int32_t d3d_scan_gradient(int32_t kind, int32_t exclusive, int64_t rays, int64_t capacity, const int32_t* offsets,
                          const float* values, const float* by_results, float* by_values, const D3dLaunch* launch) {
    Stream stream(*launch);
    stream.zero(by_values, capacity * int64_t(sizeof(float)));
    auto* first = kind == D3D_SUM ? scan<Sum> : scan<Product>;
    auto* run = kind == D3D_SUM ? scan_gradient<Sum> : scan_gradient<Product>;
    stream.run(first, over_rays(rays), true, rays, offsets, values, by_values);
    stream.run(run, over_rays(rays), exclusive != 0, rays, offsets, values, by_results, by_values);
    return stream.status();
}
