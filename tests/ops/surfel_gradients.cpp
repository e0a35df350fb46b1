// Compares project_gradient and unblend of surfels, in double, with central differences of project and blend.

#include <cstdio>
#include <random>

#include "d3d/surfel.h"

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
static double difference(double& value, Function function) {
    double step = 1e-6, kept = value;
    value = kept + step;
    double above = function();
    value = kept - step;
    double below = function();
    value = kept;
    return (above - below) / (2 * step);
}

static void check_projection() {
    Camera<double> camera{{{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}}, {0.1, -0.2, 3}, 90, 80, 33, 30, 64, 60, 0.01, 100};
    SurfelShape<double> g;
    for (double& value : g.mean) value = uniform(-0.5, 0.5);
    for (double& value : g.wxyz) value = uniform(-1, 1);
    for (double& value : g.scale) value = uniform(0.05, 0.3);
    g.opacity = 0.7;
    PlaneGradient<double> by{};
    double* cotangents[] = {&by.x, &by.y, &by.j[0][0], &by.j[0][1], &by.j[1][0], &by.j[1][1], &by.k[0], &by.k[1],
                            &by.depth, &by.normal[0], &by.normal[1], &by.normal[2]};
    for (double* value : cotangents) *value = uniform(-1, 1);
    auto loss = [&] {
        Surfel<double> s = project(g, camera, 0., 0.).surfel;
        const double(&i)[4] = s.inverse;
        double determinant = 1 / (i[0] * i[3] - i[1] * i[2]);
        double sum = by.x * s.x + by.y * s.y + by.depth * s.depth + by.k[0] * s.k[0] + by.k[1] * s.k[1];
        sum += determinant * (by.j[0][0] * i[3] - by.j[0][1] * i[1] - by.j[1][0] * i[2] + by.j[1][1] * i[0]);
        for (int axis = 0; axis < 3; axis++) sum += by.normal[axis] * s.normal[axis];
        return sum / 100;
    };
    SurfelGradient<double> gradient = project_gradient(g, camera, by);
    for (int i = 0; i < 3; i++) compare("mean", gradient.mean[i] / 100, difference(g.mean[i], loss));
    for (int i = 0; i < 4; i++) compare("wxyz", gradient.wxyz[i] / 100, difference(g.wxyz[i], loss));
    for (int i = 0; i < 2; i++) compare("scale", gradient.scale[i] / 100, difference(g.scale[i], loss));
}

// Three surfels over one pixel, and a random linear function of all that the pixel gathers.
struct Scene {
    static constexpr int COUNT = 3;
    struct Parameters {
        double x, y, j[2][2], k[2], depth, opacity;
    } surfels[COUNT];
    double shades[COUNT], by_alpha, by_depth, by_median, by_distortion, origin = 0.3;

    Surfel<double> surfel(int i) const {
        const Parameters& p = surfels[i];
        double inverse = 1 / (p.j[0][0] * p.j[1][1] - p.j[0][1] * p.j[1][0]);
        return {p.x,
                p.y,
                {inverse * p.j[1][1], -inverse * p.j[0][1], -inverse * p.j[1][0], inverse * p.j[0][0]},
                {p.k[0], p.k[1]},
                p.depth,
                1 / p.depth,
                p.opacity,
                {0, 0, 1}};
    }
    SurfelFragment<double> fragment(int i) const { return evaluate(surfel(i), 0.5, 0.5, 0.01); }

    SurfelPixel<double> draw(double& shaded) const {
        SurfelPixel<double> pixel{1, -1, 0, 0, 0, 0, -1};
        shaded = 0;
        for (int i = 0; i < COUNT; i++) shaded += shades[i] * blend(pixel, fragment(i), origin, double(i));
        return pixel;
    }
    double loss() const {
        double shaded;
        SurfelPixel<double> pixel = draw(shaded);
        return shaded + by_alpha * (1 - pixel.transmittance) + by_depth * pixel.depth + by_median * pixel.median +
               by_distortion * distortion_of(pixel);
    }
};

static void check_pixel(bool filtered) {
    Scene scene;
    for (auto& p : scene.surfels) {
        double size = filtered ? 0.3 : 2;
        p = {uniform(-0.5, 1.5),
             uniform(-0.5, 1.5),
             {{uniform(size, 2 * size), uniform(-0.3, 0.3)}, {uniform(-0.3, 0.3), uniform(size, 2 * size)}},
             {uniform(-0.2, 0.2), uniform(-0.2, 0.2)},
             uniform(0.5, 2),
             uniform(0.3, 0.9)};
    }
    for (double& shade : scene.shades) shade = uniform(-1, 1);
    scene.by_alpha = uniform(-1, 1), scene.by_depth = uniform(-1, 1), scene.by_median = uniform(-1, 1);
    scene.by_distortion = uniform(-9, 9);

    double shaded;
    SurfelPixel<double> drawn = scene.draw(shaded);
    PixelGradient<double> back{drawn.transmittance, -drawn.transmittance * scene.by_alpha, drawn.last};
    DepthGradient<double> by_depth{drawn.median_place, scene.by_depth, scene.by_median, 0, 0, 0};
    distortion_gradient(by_depth, scene.by_distortion, drawn.transmittance, drawn.m, drawn.mm);
    for (int i = Scene::COUNT - 1; i >= 0; i--) {
        SurfelMoments<double> m{};
        Scene::Parameters& p = scene.surfels[i];
        SurfelFragment<double> fragment = scene.fragment(i);
        SurfelPart<double> part = unblend(back, by_depth, fragment, scene.shades[i], scene.origin, double(i));
        add(m, scene.surfel(i), fragment, part, by_depth, scene.origin, double(i));
        PlaneGradient<double> by = plane_gradient(m, 1 / p.depth, {0., 0., 0.});
        auto loss = [&] { return scene.loss(); };
        compare("x", by.x, difference(p.x, loss));
        compare("y", by.y, difference(p.y, loss));
        for (int a = 0; a < 2; a++) {
            compare("j", by.j[0][a], difference(p.j[0][a], loss));
            compare("j", by.j[1][a], difference(p.j[1][a], loss));
            compare("k", by.k[a], difference(p.k[a], loss));
        }
        compare("depth", by.depth, difference(p.depth, loss));
        compare("opacity", m.one / p.opacity, difference(p.opacity, loss));
    }
}

int main() {
    for (int i = 0; i < 20; i++) check_projection();
    for (int i = 0; i < 20; i++) check_pixel(i % 2);
    std::printf("compared %d derivatives\n", compared);
    return wrong ? 1 : 0;
}
