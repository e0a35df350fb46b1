// Small matrix products, for matrices that lie in the cache.
#pragma once

#include <algorithm>
#include <cstdint>

#include "d3d/lane.h"

namespace d3d {

// A matrix whose rows and columns lie any distance apart.
struct Strided {
    const float* at;
    int64_t row, column;
};

// c = start + a b for ROWS rows and COLUMNS * LANES columns; sums over `depth` terms, in their order.
template <int ROWS, int COLUMNS>
void multiply_tile(Strided a, const float* b, int64_t b_row, int depth, const float* start, int64_t start_row, float* c,
                   int64_t c_row) {
    Wide sum[ROWS][COLUMNS];
#pragma GCC unroll 8
    for (int row = 0; row < ROWS; row++)
#pragma GCC unroll 8
        for (int column = 0; column < COLUMNS; column++)
            sum[row][column] = load(start + row * start_row + column * LANES);
    for (int k = 0; k < depth; k++) {
        Wide right[COLUMNS];
#pragma GCC unroll 8
        for (int column = 0; column < COLUMNS; column++) right[column] = load(b + k * b_row + column * LANES);
#pragma GCC unroll 8
        for (int row = 0; row < ROWS; row++) {
            Wide left = fill<Wide>(a.at[row * a.row + k * a.column]);
#pragma GCC unroll 8
            for (int column = 0; column < COLUMNS; column++) sum[row][column] += left * right[column];
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < ROWS; row++)
#pragma GCC unroll 8
        for (int column = 0; column < COLUMNS; column++) store(c + row * c_row + column * LANES, sum[row][column]);
}

constexpr int TILE_ROWS = 6;  // with two columns, twelve sums: as many as the registers of AVX2 hold

template <int COLUMNS>
void multiply_columns(Strided a, int rows, const float* b, int64_t b_row, int depth, const float* start,
                      int64_t start_row, float* c, int64_t c_row) {
    auto tile = [&](auto tile_rows, int row) {
        multiply_tile<tile_rows, COLUMNS>({a.at + row * a.row, a.row, a.column}, b, b_row, depth,
                                          start + row * start_row, start_row, c + row * c_row, c_row);
    };
    int row = 0;
    for (; row + TILE_ROWS <= rows; row += TILE_ROWS) tile(std::integral_constant<int, TILE_ROWS>{}, row);
    for (; row + 2 <= rows; row += 2) tile(std::integral_constant<int, 2>{}, row);
    for (; row < rows; row++) tile(std::integral_constant<int, 1>{}, row);
}

// c [rows, columns] = start + a [rows, depth] b [depth, columns]; columns come in whole LANES. `start` may be c, or
// one row for all where start_row is 0.
inline void multiply(Strided a, int rows, const float* b, int64_t b_row, int columns, int depth, const float* start,
                     int64_t start_row, float* c, int64_t c_row) {
    int column = 0;
    for (; column + 2 * LANES <= columns; column += 2 * LANES)
        multiply_columns<2>(a, rows, b + column, b_row, depth, start + column, start_row, c + column, c_row);
    for (; column < columns; column += LANES)
        multiply_columns<1>(a, rows, b + column, b_row, depth, start + column, start_row, c + column, c_row);
}

}  // namespace d3d
