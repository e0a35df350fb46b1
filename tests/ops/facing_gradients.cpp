// Compares radiance_gradient, normal_gradient and antialias_gradient, in double, with central differences.

#include <cstdio>
#include <random>

#include "d3d/facing.h"

using namespace d3d;

static int compared = 0, wrong = 0;

static void compare(const char* what, double given, double expected) {
    compared++;
    if (std::fabs(given - expected) <= 1e-6 * (1 + std::fabs(expected))) return;
    wrong++;
    std::printf("%s: %.9g given, %.9g by differences\n", what, given, expected);
}

template <class Function>
static double difference(double& value, Function of) {
    double step = 1e-6, kept = value;
    value = kept + step;
    double above = of();
    value = kept - step;
    double below = of();
    value = kept;
    return (above - below) / (2 * step);
}

static std::mt19937 engine(2);
static double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine); }

static const Camera<double> camera{
    {{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}}, {0.1, -0.2, 3}, 90, 80, 33, 30, 64, 60, 0.01, 100};

static Gaussian<double> random_gaussian() {
    Gaussian<double> g;
    for (double& value : g.mean) value = uniform(-0.5, 0.5);
    for (double& value : g.wxyz) value = uniform(-1, 1);
    for (double& value : g.scale) value = uniform(0.01, 0.1);
    g.opacity = 0.7;
    return g;
}

static void check_radiance(int count) {
    Gaussian<double> g = random_gaussian();
    double sh[HARMONICS_MAX][3], by_rgb[3], by_sh[HARMONICS_MAX][3], by_mean[3] = {};
    for (auto& row : sh)
        for (double& value : row) value = uniform(-0.4, 0.4);
    for (double& value : by_rgb) value = uniform(-1, 1);
    auto read = [&](int k, int colour) { return sh[k][colour]; };
    auto shown = [&] {
        Sight<double> s = sight(g.mean, camera);
        double value[HARMONICS_MAX], rgb[3], total = 0;
        harmonics(s.unit[0], s.unit[1], s.unit[2], count, value);
        radiance(value, count, read, rgb);
        for (int colour = 0; colour < 3; colour++) total += by_rgb[colour] * std::fmax(rgb[colour], 0);
        return total;
    };
    radiance_gradient(g.mean, camera, count, read, by_rgb, by_mean,
                      [&](int k, int colour, double value) { by_sh[k][colour] = value; });
    for (int i = 0; i < 3; i++) compare("mean", by_mean[i], difference(g.mean[i], shown));
    for (int k = 0; k < count; k++)
        for (int colour = 0; colour < 3; colour++) compare("sh", by_sh[k][colour], difference(sh[k][colour], shown));
}

static void check_normal() {
    Gaussian<double> g = random_gaussian();
    double by_normal[3], by_wxyz[4] = {};
    for (double& value : by_normal) value = uniform(-1, 1);
    normal_gradient(g, camera, by_normal, by_wxyz);
    auto shown = [&] {
        double chosen[3], facing[3];
        normal(g, camera, chosen, facing);
        return by_normal[0] * facing[0] + by_normal[1] * facing[1] + by_normal[2] * facing[2];
    };
    for (int i = 0; i < 4; i++) compare("wxyz of a normal", by_wxyz[i], difference(g.wxyz[i], shown));
}

static void check_antialiasing() {
    Gaussian<double> g = random_gaussian();
    const double blur = 0.3;
    auto shown = [&] { return std::log(project(g, camera, 0., 0., blur, true).opacity); };
    double xx = 0, xy = 0, yy = 0;
    antialias_gradient(g, camera, blur, 1., xx, xy, yy);
    GaussianGradient<double> gradient = project_gradient(g, camera, 0., 0., xx, xy, yy, 0.);
    for (int i = 0; i < 3; i++) compare("mean", gradient.mean[i], difference(g.mean[i], shown));
    for (int i = 0; i < 4; i++) compare("wxyz", gradient.wxyz[i], difference(g.wxyz[i], shown));
    for (int i = 0; i < 3; i++) compare("scale", gradient.scale[i] / 10, difference(g.scale[i], shown) / 10);
}

int main() {
    for (int count : {1, 4, 9, 16})
        for (int i = 0; i < 5; i++) check_radiance(count);
    for (int i = 0; i < 12; i++) check_normal();
    for (int i = 0; i < 12; i++) check_antialiasing();
    std::printf("compared %d derivatives\n", compared);
    return wrong ? 1 : 0;
}
