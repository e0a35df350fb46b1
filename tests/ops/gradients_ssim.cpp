// Compares the slopes of `similarity`, in double, with central differences.

#include <cstdio>
#include <random>

#include "d3d/ssim.h"

using namespace d3d;

int main() {
    std::mt19937 engine(1);
    auto uniform = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine); };
    int compared = 0, wrong = 0;
    for (int trial = 0; trial < 30; trial++) {
        Four<double> mean;
        mean.a = uniform(0, 1), mean.b = uniform(0, 1);
        double deviation_a = uniform(0, 0.3), deviation_b = uniform(0, 0.3), correlation = uniform(-1, 1);
        double covariance = correlation * deviation_a * deviation_b, delta = mean.a - mean.b;
        mean.product = covariance + mean.a * mean.b;
        mean.difference = deviation_a * deviation_a + deviation_b * deviation_b - 2 * covariance + delta * delta;
        Four<double> slope, unused;
        similarity(mean, slope);
        double given[4] = {slope.a, slope.b, slope.difference, slope.product};
        double* values[4] = {&mean.a, &mean.b, &mean.difference, &mean.product};
        for (int i = 0; i < 4; i++) {
            double step = 1e-7, kept = *values[i];
            *values[i] = kept + step;
            double above = similarity(mean, unused);
            *values[i] = kept - step;
            double below = similarity(mean, unused);
            *values[i] = kept;
            double expected = (above - below) / (2 * step);
            compared++;
            if (std::fabs(given[i] - expected) <= 1e-5 * (1 + std::fabs(expected))) continue;
            wrong++;
            std::printf("slope %d: %.9g given, %.9g by differences\n", i, given[i], expected);
        }
    }
    std::printf("compared %d derivatives\n", compared);
    return wrong ? 1 : 0;
}
