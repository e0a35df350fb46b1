// Compares corner_gradient, crossing_gradient and the slopes of texture weights, in double, with central differences.

#include <cstdio>
#include <random>

#include "d3d/antialias.h"
#include "d3d/mesh.h"
#include "d3d/texture.h"

using namespace d3d;

static int compared = 0, wrong = 0;

static void compare(const char* what, double given, double expected) {
    compared++;
    if (std::fabs(given - expected) <= 1e-5 * (1 + std::fabs(expected))) return;
    wrong++;
    std::printf("%s: %.9g given, %.9g by differences\n", what, given, expected);
}

static std::mt19937 engine(1);
static double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine); }

template <class Value>
static double difference(double& at, Value value) {
    double step = 1e-6, kept = at;
    at = kept + step;
    double above = value();
    at = kept - step;
    double below = value();
    at = kept;
    return (above - below) / (2 * step);
}

// A pixel's barycentrics and depth, by the rows of the inverse.
static void hit(const double (&p)[3][3], const double (&ray)[3], double (&b)[3], double& depth) {
    double rows[3][3], volume = invert(p, rows), sum = 0;
    for (int i = 0; i < 3; i++) b[i] = dot(rows[i], ray) / volume, sum += b[i];
    for (double& share : b) share /= sum;
    depth = 1 / sum;
}

static void check_corners() {
    double p[3][3], ray[3] = {uniform(-0.1, 0.1), uniform(-0.1, 0.1), 1};
    for (auto& corner : p) corner[0] = uniform(-1, 1), corner[1] = uniform(-1, 1), corner[2] = uniform(2, 4);
    double by_b[3] = {uniform(-1, 1), uniform(-1, 1), uniform(-1, 1)}, by_depth = uniform(-1, 1), b[3], depth;
    hit(p, ray, b, depth);
    ShareSums<double> sums{};
    add_pixel(sums, b, depth, by_b, by_depth);
    double by_p[3][3] = {};
    corner_gradient(p, sums, by_p);
    auto loss = [&] {
        double moved[3], z;
        hit(p, ray, moved, z);
        return moved[0] * by_b[0] + moved[1] * by_b[1] + moved[2] * by_b[2] + z * by_depth;
    };
    for (int i = 0; i < 9; i++) compare("corner", by_p[i / 3][i % 3], difference(p[i / 3][i % 3], loss));
}

static void check_crossing() {
    const int32_t faces[3] = {0, 1, 2}, none[3] = {NO_EDGE, NO_EDGE, NO_EDGE};
    Vector<double> points[3] = {{uniform(-1, -0.5), uniform(-1, 1), uniform(2, 3)},
                                {uniform(0, 0.4), uniform(0.5, 1), uniform(2, 4)},
                                {uniform(0, 0.4), uniform(-1, -0.5), uniform(2, 4)}};
    Surface<double> surface{points, faces, none, 3, 3};
    Vector<double> n{0, 0.01, 1}, m{0.3, 0.01, 1};
    auto t = [&] { return find_crossing(surface, 0, n, m, true, 1., 1.).t; };
    Crossing<double> found = find_crossing(surface, 0, n, m, true, 1., 1.);
    if (found.corner == NO_EDGE) return;
    EdgeGradient<double> by = crossing_gradient(Edge<double>(surface, found.corner), n, m, 1.);
    Vector<double>& from = points[(found.corner + 1) % 3];
    Vector<double>& to = points[(found.corner + 2) % 3];
    double given[6] = {by.from.x, by.from.y, by.from.z, by.to.x, by.to.y, by.to.z};
    double* at[6] = {&from.x, &from.y, &from.z, &to.x, &to.y, &to.z};
    for (int i = 0; i < 6; i++) compare("crossing", given[i], difference(*at[i], t));
}

static void check_weights(bool repeats) {
    double u = uniform(-1, 2), v = uniform(-1, 2);
    Level level{5, 7, 0};
    for (int corner = 0; corner < 4; corner++) {
        auto weight = [&] { return cell_of(u, v, level, repeats).weight(corner); };
        Cell<double> cell = cell_of(u, v, level, repeats);
        compare("weight by u", cell.weight_by_u(corner), difference(u, weight));
        compare("weight by v", cell.weight_by_v(corner), difference(v, weight));
    }
}

int main() {
    for (int i = 0; i < 20; i++) check_corners();
    for (int i = 0; i < 40; i++) check_crossing();
    for (int i = 0; i < 20; i++) check_weights(i % 2);
    std::printf("compared %d derivatives\n", compared);
    return wrong || compared < 400 ? 1 : 0;
}
