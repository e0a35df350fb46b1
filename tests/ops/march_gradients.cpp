// Compares the gradients of volume.h, scan.h and grids.h, in double, with central differences.

#include <cstdio>
#include <random>

#include "d3d/grids.h"
#include "d3d/scan.h"
#include "d3d/volume.h"

using namespace d3d;

static int compared = 0, wrong = 0;

static void compare(const char* what, double given, double expected) {
    compared++;
    if (std::fabs(given - expected) <= 1e-6 * (1 + std::fabs(expected))) return;
    wrong++;
    std::printf("%s: %.9g given, %.9g by differences\n", what, given, expected);
}

static std::mt19937 engine(1);
static double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine); }

template <class Function>
static double difference(Function function, double& value) {
    double step = 1e-6, kept = value;
    value = kept + step;
    double above = function();
    value = kept - step;
    double below = function();
    value = kept;
    return (above - below) / (2 * step);
}

constexpr int SAMPLES = 6;

struct Ray {
    double log_density[SAMPLES], shade[SAMPLES], t[SAMPLES], length[SAMPLES], by_distortion;

    // Σ w shade + by_distortion * distortion; fills the weights and the light behind each sample.
    double loss(double (&weights)[SAMPLES], double (&behind)[SAMPLES]) const {
        double light = 1, loss = 0;
        Front<double> front{};
        for (int i = 0; i < SAMPLES; i++) {
            double passing = exponential(-optical_depth(log_density[i], length[i]).depth);
            weights[i] = light * (1 - passing);
            behind[i] = light *= passing;
            loss += weights[i] * shade[i] + by_distortion * distort(front, weights[i], t[i], length[i]);
        }
        return loss;
    }
};

static void check_ray() {
    Ray ray;
    double t = 1, weights[SAMPLES], behind[SAMPLES], unused[SAMPLES], unused_too[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        ray.log_density[i] = uniform(-1, 1), ray.shade[i] = uniform(-1, 1);
        ray.length[i] = uniform(0.1, 0.5), ray.t[i] = t + 0.5 * ray.length[i];
        t += ray.length[i];
    }
    ray.by_distortion = uniform(-1, 1);
    ray.loss(weights, behind);
    Front<double> front{}, back{};
    for (int i = 0; i < SAMPLES; i++) front.weight += weights[i], front.weighted_t += weights[i] * ray.t[i];
    double beyond = 0;
    for (int i = SAMPLES - 1; i >= 0; i--) {
        double w = weights[i];
        front.weight -= w, front.weighted_t -= w * ray.t[i];
        double shade = ray.shade[i] +
                       ray.by_distortion * distort_gradient(front, back, w, ray.t[i], ray.length[i]);
        double slope = optical_depth(ray.log_density[i], ray.length[i]).slope;
        compare("ray", slope * absorb_gradient(shade, behind[i], beyond),
                difference([&] { return ray.loss(unused, unused_too); }, ray.log_density[i]));
        beyond += w * shade;
        back.weight += w, back.weighted_t += w * ray.t[i];
    }
}

template <class Kind>
static void check_scan() {
    double values[SAMPLES], by[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) values[i] = i == 2 ? 0 : uniform(0.5, 1.5), by[i] = uniform(-1, 1);
    auto loss = [&] {
        double all = Kind::template start<double>(), sum = 0;
        for (int i = 0; i < SAMPLES; i++) sum += by[i] * all, all = Kind::join(all, values[i]);
        return sum;
    };
    double after = 0;
    for (int i = SAMPLES - 1; i >= 0; i--) {
        double before = Kind::template start<double>();
        for (int j = 0; j < i; j++) before = Kind::join(before, values[j]);
        compare("scan", Kind::gradient(before, after), difference(loss, values[i]));
        after = by[i] + Kind::carry(values[i], after);
    }
}

static void check_grid() {
    constexpr int SIZE = 4;
    double table[3 * SIZE * SIZE * SIZE], at[3];
    for (double& entry : table) entry = uniform(-1, 1);
    for (double& coordinate : at) coordinate = uniform(-1.1, 1.1);
    D3dGrid grid{};
    for (int32_t& size : grid.size) size = SIZE;
    auto compare_all = [&](auto around_at, const int (&axes)[3], int count) {
        auto around = around_at();
        for (int axis = 0; axis < count; axis++) {
            double slope = 0;
            for (int k = 0; k < around.COUNT; k++) slope += around.slope[k][axis] * table[around.at[k]];
            compare("grid", slope, difference([&] { return blend_entries(around_at(), table, 1); }, at[axes[axis]]));
        }
    };
    compare_all([&] { return around_in_voxels(grid, at); }, {0, 1, 2}, 3);
    for (int plane = 0; plane < 3; plane++) {
        compare_all([&] { return around_in_plane(grid, plane, at); }, {axis_across(plane), axis_down(plane), 0}, 2);
        compare_all([&] { return around_on_line(grid, plane, at); }, {axis_along(plane), 0, 0}, 1);
    }
}

int main() {
    for (int i = 0; i < 10; i++) check_ray();
    for (int i = 0; i < 5; i++) check_scan<Sum>(), check_scan<Product>();
    for (int i = 0; i < 10; i++) check_grid();
    std::printf("compared %d derivatives\n", compared);
    return wrong ? 1 : 0;
}
