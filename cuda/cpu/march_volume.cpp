// Packed samples to what rays see, and back. Optical depths are computed LANES samples at a time; the light along a
// ray is a running product.

#include <algorithm>

#include "d3d/abi_march.h"
#include "d3d/volume.h"

using namespace d3d;

namespace {

constexpr int RAYS_AT_ONCE = 64;

Wide load_some(const float* from, int64_t count) {
    if (count >= LANES) return load(from);
    Wide some{};
    std::memcpy(&some, from, count * sizeof(float));
    return some;
}

void store_some(float* to, Wide x, int64_t count) {
    std::memcpy(to, &x, std::min<int64_t>(count, LANES) * sizeof(float));
}

bool healthy_values(const D3dVolume& v, int64_t sample) {
    float sum = 0;
    for (int channel = 0; channel < v.channels; channel++) {
        float value = v.values[sample * v.channels + channel];
        sum += value - value;
    }
    return sum == 0;
}

// Fills `passing` with exp(-σδ) for the samples of a ray.
void transparency(const D3dVolume& v, int64_t ray, float* passing) {
    for (int64_t i = v.offsets[ray], end = v.offsets[ray + 1]; i < end; i += LANES) {
        Wide length = (load_some(v.ends + i, end - i) - load_some(v.starts + i, end - i)) * v.speeds[ray];
        Wide depth = optical_depth(load_some(v.log_density + i, end - i), length).depth;
        store_some(passing + i, exponential(-depth), end - i);
    }
}

void composite_ray(const D3dVolume& v, const D3dRayImages& images, int64_t ray) {
    float* values = images.values + ray * v.channels;
    std::fill_n(values, v.channels, 0.f);
    transparency(v, ray, images.behind);
    float light = 1, depth = 0, distortion = 0;
    Front<float> front{};
    int64_t i = v.offsets[ray], end = v.offsets[ray + 1];
    for (; i < end && light > LIGHT_MIN; i++) {
        float passing = healthy_values(v, i) ? images.behind[i] : 1;
        float w = light * (1 - passing), t = 0.5f * (v.starts[i] + v.ends[i]);
        light *= passing;
        images.weights[i] = w;
        images.behind[i] = light;
        if (w == 0) continue;
        depth += w * t;
        distortion += distort(front, w, t, v.ends[i] - v.starts[i]);
        for (int channel = 0; channel < v.channels; channel++) values[channel] += w * v.values[i * v.channels + channel];
    }
    std::fill(images.weights + i, images.weights + end, 0.f);
    std::fill(images.behind + i, images.behind + end, -1.f);
    images.alpha[ray] = front.weight, images.depth[ray] = depth, images.distortion[ray] = distortion;
}

void gradient_of_ray(const D3dVolume& v, const D3dRayImages& images, const D3dRayImageGradients& by, int64_t ray,
                     float* by_log_density, float* by_values) {
    const int64_t first = v.offsets[ray], end = v.offsets[ray + 1];
    const float* by_ray = by.values + ray * v.channels;
    Front<float> front{}, back{};
    for (int64_t i = first; i < end; i++) {
        front.weight += images.weights[i];
        front.weighted_t += images.weights[i] * 0.5f * (v.starts[i] + v.ends[i]);
    }
    float beyond = 0;
    for (int64_t i = end - 1; i >= first; i--) {
        float w = images.weights[i], t = 0.5f * (v.starts[i] + v.ends[i]), length = v.ends[i] - v.starts[i];
        float* by_value = by_values + i * v.channels;
        by_log_density[i] = 0;
        if (images.behind[i] < 0 || !healthy_values(v, i)) {
            std::fill_n(by_value, v.channels, 0.f);
            continue;
        }
        front.weight -= w, front.weighted_t -= w * t;
        float shade = by.alpha[ray] + by.depth[ray] * t + by.weights[i];
        if (by.distortion[ray] != 0) shade += by.distortion[ray] * distort_gradient(front, back, w, t, length);
        for (int channel = 0; channel < v.channels; channel++) {
            shade += by_ray[channel] * v.values[i * v.channels + channel];
            by_value[channel] = w * by_ray[channel];
        }
        by_log_density[i] = absorb_gradient(shade, images.behind[i], beyond);
        beyond += w * shade;
        back.weight += w, back.weighted_t += w * t;
    }
    for (int64_t i = first; i < end; i += LANES) {
        Wide length = (load_some(v.ends + i, end - i) - load_some(v.starts + i, end - i)) * v.speeds[ray];
        Wide slope = optical_depth(load_some(v.log_density + i, end - i), length).slope;
        store_some(by_log_density + i, load_some(by_log_density + i, end - i) * slope, end - i);
    }
}

}  // namespace

int32_t d3d_volume_transmittance(const D3dVolume* v, float* transmittance, const D3dLaunch* launch) {
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, RAYS_AT_ONCE)
    for (int64_t ray = 0; ray < v->rays; ray++) {
        transparency(*v, ray, transmittance);
        float light = 1;
        for (int64_t i = v->offsets[ray]; i < v->offsets[ray + 1]; i++) {
            float behind = light * transmittance[i];
            transmittance[i] = light > LIGHT_MIN ? light : 0;
            light = behind;
        }
    }
    std::fill(transmittance + v->offsets[v->rays], transmittance + v->capacity, 0.f);
    return D3D_OK;
}

int32_t d3d_volume_composite(const D3dVolume* v, const D3dRayImages* images, const D3dLaunch* launch) {
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, RAYS_AT_ONCE)
    for (int64_t ray = 0; ray < v->rays; ray++) composite_ray(*v, *images, ray);
    std::fill(images->weights + v->offsets[v->rays], images->weights + v->capacity, 0.f);
    std::fill(images->behind + v->offsets[v->rays], images->behind + v->capacity, -1.f);
    return D3D_OK;
}

int32_t d3d_volume_gradient(const D3dVolume* v, const D3dRayImages* images, const D3dRayImageGradients* by,
                            float* by_log_density, float* by_values, const D3dLaunch* launch) {
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, RAYS_AT_ONCE)
    for (int64_t ray = 0; ray < v->rays; ray++) gradient_of_ray(*v, *images, *by, ray, by_log_density, by_values);
    int64_t used = v->offsets[v->rays];
    std::fill(by_log_density + used, by_log_density + v->capacity, 0.f);
    std::fill(by_values + used * v->channels, by_values + v->capacity * v->channels, 0.f);
    return D3D_OK;
}

int32_t d3d_volume_resample(int64_t rays, const int32_t* offsets, const float* starts, const float* ends,
                            const float* weights, const float* jitter, int32_t count, float* edges,
                            const D3dLaunch* launch) {
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic, RAYS_AT_ONCE)
    for (int64_t ray = 0; ray < rays; ray++) {
        int64_t first = offsets[ray];
        resample_ray(starts + first, ends + first, weights + first, offsets[ray + 1] - first, jitter[ray], count,
                     edges + ray * (count + 1));
    }
    return D3D_OK;
}
