// Compares add_position_gradient and activation_slope, in double, with central differences.

#include <cstdio>
#include <random>

#include "d3d/hashgrid.h"
#include "d3d/mlp.h"

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

template <int DIMENSIONS>
static double feature(const GridLevel& level, const double* table, const double (&x)[DIMENSIONS], bool smooth) {
    Cell<double, DIMENSIONS> cell = locate(level, x, smooth);
    double sum = 0;
    for (int corner = 0; corner < 1 << DIMENSIONS; corner++)
        sum += weight_at(cell, corner) * table[entry_at(level, cell, corner)];
    return sum;
}

template <int DIMENSIONS>
static void check_level(bool hashed, bool smooth) {
    GridLevel level{6.5f, 8, hashed ? 64u : 512u, hashed, 0};
    double table[512];
    for (double& entry : table) entry = uniform(-1, 1);
    double x[DIMENSIONS];
    for (double& coordinate : x) coordinate = uniform(-0.5, 1.5);
    Cell<double, DIMENSIONS> cell = locate(level, x, smooth);
    double by_weight[1 << DIMENSIONS], gradient[DIMENSIONS] = {};
    for (int corner = 0; corner < 1 << DIMENSIONS; corner++) by_weight[corner] = table[entry_at(level, cell, corner)];
    add_position_gradient(cell, by_weight, gradient);
    for (int axis = 0; axis < DIMENSIONS; axis++) {
        double step = 1e-7, kept = x[axis];
        x[axis] = kept + step;
        double above = feature(level, table, x, smooth);
        x[axis] = kept - step;
        double below = feature(level, table, x, smooth);
        x[axis] = kept;
        compare("position", gradient[axis], (above - below) / (2 * step));
    }
}

static void check_activation(int activation) {
    double x = uniform(-4, 4), step = 1e-6;
    double difference = (activate(activation, x + step) - activate(activation, x - step)) / (2 * step);
    compare("activation", activation_slope(activation, activate(activation, x)), difference);
}

int main() {
    for (int i = 0; i < 60; i++) {
        check_level<2>(i % 2, i % 4 > 1);
        check_level<3>(i % 2, i % 4 > 1);
    }
    for (int i = 0; i < 60; i++) check_activation(i % 3);
    std::printf("compared %d derivatives\n", compared);
    return wrong ? 1 : 0;
}
