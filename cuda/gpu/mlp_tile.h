// A tile of points through the layers of a perceptron, in the block's memory.
//
// Values stand feature by feature, each a row of the tile's points, so that the lanes of a warp have points side by
// side. A lane computes LANE_POINTS points; a warp takes OUTPUTS outputs at a time, whose weights all its lanes share.
#pragma once

#include "d3d/abi_mlp.h"
#include "d3d/mlp.h"
#include "hashgrid_warp.h"

namespace d3d {

constexpr int TILE_THREADS = 256;
constexpr int TILE_WARPS = TILE_THREADS / WARP;

__device__ __host__ __forceinline__ int whole(int count, int of) { return (count + of - 1) / of * of; }

template <int COUNT>
struct alignas(COUNT * 4) Floats {
    float of[COUNT];
};

// Sizes and places of a perceptron's parts, the same on host and device. Matrices are packed with rows and columns
// padded by zeros: to go forward [outputs to 8, inputs to 4], to go back [inputs to 8, outputs to 4].
struct DeviceLayers {
    D3dMlp mlp;

    __device__ __host__ int inputs(int layer) const { return mlp.sizes[layer]; }
    __device__ __host__ int outputs(int layer) const { return mlp.sizes[layer + 1]; }
    __device__ __host__ int widest() const {
        int widest = 0;
        for (int i = 0; i <= mlp.layers; i++) widest = mlp.sizes[i] > widest ? mlp.sizes[i] : widest;
        return whole(widest, 8);
    }
    __device__ __host__ int64_t weights(int layer) const {  // among the parameters
        int64_t at = 0;
        for (int i = 0; i < layer; i++) at += int64_t(inputs(i)) * outputs(i);
        return at;
    }
    __device__ __host__ int64_t biases(int layer) const {
        int64_t at = weights(mlp.layers);
        for (int i = 0; i < layer; i++) at += outputs(i);
        return at;
    }
    __device__ __host__ int64_t parameters() const { return mlp.biased ? biases(mlp.layers) : weights(mlp.layers); }

    __device__ __host__ int64_t forward_floats(int layer) const {
        return int64_t(whole(outputs(layer), 8)) * whole(inputs(layer), 4);
    }
    __device__ __host__ int64_t backward_floats(int layer) const {
        return int64_t(whole(inputs(layer), 8)) * whole(outputs(layer), 4);
    }
    __device__ __host__ int64_t packed(int layer) const {  // forward, backward, biases
        int64_t at = 0;
        for (int i = 0; i < layer; i++) at += forward_floats(i) + backward_floats(i) + whole(outputs(i), 8);
        return at;
    }
    __device__ __host__ int64_t kept_rows(int layer) const {  // of the layers' inputs, among those of all layers
        int64_t at = 0;
        for (int i = 0; i < layer; i++) at += whole(inputs(i), 4);
        return at;
    }
};

template <int LANE_POINTS>
struct Tile {
    static constexpr int POINTS = WARP * LANE_POINTS;
    static constexpr int ROW = POINTS + 4;  // so that rows begin in different banks
    using Lane = Floats<LANE_POINTS>;
};

// result[output] = start[output] + sum over k of matrix[output, k] rows[k], then finish(output, value) at each point
// of the lane. `start` may be null.
template <int LANE_POINTS, int OUTPUTS, class Finish>
__device__ void product(const float* matrix, const float* start, int outputs, int depth, const float* rows,
                        Finish finish) {
    using T = Tile<LANE_POINTS>;
    int place = lane_of_warp() * LANE_POINTS, columns = whole(depth, 4);
    for (int first = threadIdx.x / WARP * OUTPUTS; first < outputs; first += TILE_WARPS * OUTPUTS) {
        typename T::Lane sum[OUTPUTS];
        for (int i = 0; i < OUTPUTS; i++)
            for (int p = 0; p < LANE_POINTS; p++) sum[i].of[p] = start ? start[first + i] : 0.f;
        for (int k = 0; k < columns; k += 4) {
            typename T::Lane value[4];
            for (int j = 0; j < 4; j++)
                value[j] = *reinterpret_cast<const typename T::Lane*>(rows + (k + j) * T::ROW + place);
            for (int i = 0; i < OUTPUTS; i++) {
                auto weight = *reinterpret_cast<const Floats<4>*>(matrix + int64_t(first + i) * columns + k);
                for (int j = 0; j < 4; j++)
                    for (int p = 0; p < LANE_POINTS; p++) sum[i].of[p] += weight.of[j] * value[j].of[p];
            }
        }
        for (int i = 0; i < OUTPUTS; i++) finish(first + i, sum[i]);
    }
}

// Narrow layers are cut finer, so that more warps have a part.
template <int LANE_POINTS, class Finish>
__device__ void product(const float* matrix, const float* start, int outputs, int depth, const float* rows,
                        Finish finish) {
    if (outputs > TILE_WARPS * 4)
        product<LANE_POINTS, 8>(matrix, start, outputs, depth, rows, finish);
    else
        product<LANE_POINTS, 4>(matrix, start, outputs, depth, rows, finish);
}

// Rows of zeros up to a multiple of 4, which products read and need to be finite.
template <int LANE_POINTS>
__device__ void zero_padding(float* rows, int width) {
    using T = Tile<LANE_POINTS>;
    for (int i = width * T::ROW + threadIdx.x; i < whole(width, 4) * T::ROW; i += TILE_THREADS) rows[i] = 0;
}

// The tile's rows of memory [points, width], turned; points beyond the last are zeros.
template <int LANE_POINTS>
__device__ void read_rows(const float* from, int width, int64_t first, int count, float* rows) {
    using T = Tile<LANE_POINTS>;
    for (int i = threadIdx.x; i < width * T::POINTS; i += TILE_THREADS) {
        int point = i / width, feature = i % width;
        rows[feature * T::ROW + point] = point < count ? from[(first + point) * width + feature] : 0.f;
    }
    zero_padding<LANE_POINTS>(rows, width);
}

template <int LANE_POINTS>
__device__ void write_rows(float* to, int width, int64_t first, int count, const float* rows) {
    using T = Tile<LANE_POINTS>;
    for (int i = threadIdx.x; i < width * count; i += TILE_THREADS)
        to[first * width + i] = rows[i % width * T::ROW + i / width];
}

// One layer of the forward pass from `rows` to `result`, activated unless it is the last.
template <int LANE_POINTS>
__device__ void forward_layer(const DeviceLayers& layers, int layer, const float* packed, const float* rows,
                              float* result) {
    using T = Tile<LANE_POINTS>;
    const float* matrix = packed + layers.packed(layer);
    const float* biases = matrix + layers.forward_floats(layer) + layers.backward_floats(layer);
    int outputs = layers.outputs(layer), place = lane_of_warp() * LANE_POINTS;
    int activation = layer + 1 < layers.mlp.layers ? layers.mlp.activation : int(ACTIVATION_NONE);
    product<LANE_POINTS>(matrix, biases, outputs, layers.inputs(layer), rows, [&](int output, typename T::Lane sum) {
        if (output >= outputs) return;
        for (int p = 0; p < LANE_POINTS; p++) sum.of[p] = activate(activation, sum.of[p]);
        *reinterpret_cast<typename T::Lane*>(result + output * T::ROW + place) = sum;
    });
    zero_padding<LANE_POINTS>(result, outputs);
    __syncthreads();
}

}  // namespace d3d
