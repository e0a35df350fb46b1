// Compares project_gradient and unblend, in double, with central differences of project and blend.

#include <cstdio>
#include <random>

#include "d3d/splat.h"

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

// A random linear function of the footprint, and the gradients that belong to it.
struct Cotangent {
    double x, y, xx, xy, yy, depth;

    double of(const Gaussian<double>& g, const Camera<double>& camera) const {
        Footprint<double> f = project(g, camera, 0., 0., 0.3);
        double inverse = 1 / (f.a * f.c - f.b * f.b);  // the covariance is the inverse of the inverse
        return x * f.x + y * f.y + xx * f.c * inverse - 2 * xy * f.b * inverse + yy * f.a * inverse + depth * f.depth;
    }
};

static void check_projection(double aside) {
    Camera<double> camera{{{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}}, {0.1, -0.2, 3}, 90, 80, 33, 30, 64, 60, 0.01, 100};
    Gaussian<double> g;
    for (double& value : g.mean) value = uniform(-0.5, 0.5);
    g.mean[1] += aside;
    for (double& value : g.wxyz) value = uniform(-1, 1);
    for (double& value : g.scale) value = uniform(0.05, 0.3);
    g.opacity = 0.7;
    Cotangent by{uniform(-1, 1), uniform(-1, 1), uniform(-1, 1), uniform(-1, 1), uniform(-1, 1), uniform(-1, 1)};
    GaussianGradient<double> gradient = project_gradient(g, camera, by.x, by.y, by.xx, by.xy, by.yy, by.depth);
    auto difference = [&](double& value) {
        double step = 1e-6, kept = value;
        value = kept + step;
        double above = by.of(g, camera);
        value = kept - step;
        double below = by.of(g, camera);
        value = kept;
        return (above - below) / (2 * step);
    };
    for (int i = 0; i < 3; i++) compare("mean", gradient.mean[i] / 100, difference(g.mean[i]) / 100);
    for (int i = 0; i < 4; i++) compare("wxyz", gradient.wxyz[i] / 100, difference(g.wxyz[i]) / 100);
    for (int i = 0; i < 3; i++) compare("scale", gradient.scale[i] / 100, difference(g.scale[i]) / 100);
}

// Two splats over one pixel: <colour, gradient> with weights from `blend`, and alpha.
static double drawn(const Splat<double> (&splats)[2], const double (&shades)[2], double by_alpha) {
    Pixel<double> pixel{1, -1};
    double loss = 0;
    for (int i = 0; i < 2; i++) loss += blend(pixel, evaluate(splats[i], 0.5, 0.5), double(i)) * shades[i];
    return loss + by_alpha * (1 - pixel.transmittance);
}

static void check_pixel() {
    Splat<double> splats[2];
    for (auto& s : splats)
        s = {uniform(-1, 2), uniform(-1, 2), uniform(0.1, 0.3), uniform(-0.05, 0.05), uniform(0.1, 0.3),
             uniform(0.3, 0.9), 9, 9, 9, 1};
    double shades[2] = {uniform(-1, 1), uniform(-1, 1)}, by_alpha = uniform(-1, 1);
    Pixel<double> pixel{1, -1};
    for (int i = 0; i < 2; i++) blend(pixel, evaluate(splats[i], 0.5, 0.5), double(i));
    PixelGradient<double> back{pixel.transmittance, -pixel.transmittance * by_alpha, pixel.last};
    for (int i = 1; i >= 0; i--) {
        Moments<double> m{};
        Splat<double>& s = splats[i];
        unblend(back, m, evaluate(s, 0.5, 0.5), shades[i], double(i));
        double gradient[6] = {s.a * m.x + s.b * m.y, s.b * m.x + s.c * m.y, -0.5 * m.xx, -m.xy, -0.5 * m.yy,
                              m.one / s.opacity};
        double* values[6] = {&s.x, &s.y, &s.a, &s.b, &s.c, &s.opacity};
        for (int k = 0; k < 6; k++) {
            double step = 1e-6, kept = *values[k];
            *values[k] = kept + step;
            double above = drawn(splats, shades, by_alpha);
            *values[k] = kept - step;
            double below = drawn(splats, shades, by_alpha);
            *values[k] = kept;
            compare("pixel", gradient[k], (above - below) / (2 * step));
        }
    }
}

int main() {
    for (int i = 0; i < 12; i++) check_projection(0);
    for (int i = 0; i < 12; i++) check_projection(i % 2 ? 2 : -2);  // off the picture, where the Jacobian is clamped
    for (int i = 0; i < 20; i++) check_pixel();
    std::printf("compared %d derivatives\n", compared);
    return wrong ? 1 : 0;
}
