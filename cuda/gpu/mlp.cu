// Perceptrons on the device: forward, and the two ways of the gradient in one kernel, which computes the layers again.
// Each of a fixed number of blocks takes every so many'th tile of points and adds the parameters' gradient up in a
// slab of its own; the slabs are added in their order, so that the same input gives the same bits.

#include "mlp_tile.h"

using namespace d3d;

namespace {

constexpr int MOST_BLOCKS = 264;  // two for each multiprocessor of the largest GPUs

// One thread for each packed number.
__global__ void pack(DeviceLayers layers, float* packed) {
    int64_t i = thread_of_grid();
    for (int layer = 0; layer < layers.mlp.layers; layer++) {
        int inputs = layers.inputs(layer), outputs = layers.outputs(layer);
        const float* matrix = layers.mlp.parameters + layers.weights(layer);
        int64_t forward = layers.forward_floats(layer), backward = layers.backward_floats(layer);
        int64_t at = i - layers.packed(layer), back = at - forward, bias = back - backward;
        if (at < 0 || bias >= whole(outputs, 8)) continue;
        float value = 0;
        if (bias >= 0) {
            if (layers.mlp.biased && bias < outputs) value = layers.mlp.parameters[layers.biases(layer) + bias];
        } else if (back >= 0) {
            int in = int(back / whole(outputs, 4)), out = int(back % whole(outputs, 4));
            if (in < inputs && out < outputs) value = matrix[out * inputs + in];
        } else {
            int out = int(at / whole(inputs, 4)), in = int(at % whole(inputs, 4));
            if (in < inputs && out < outputs) value = matrix[out * inputs + in];
        }
        packed[i] = value;
    }
}

template <int LANE_POINTS>
__device__ void encode_tile(const D3dHashGrid& grid, const Levels& levels, const D3dMlpInputs& source, int64_t first,
                            int count, float* rows) {
    using T = Tile<LANE_POINTS>;
    auto with = [&](auto dimensions, auto features) {
        for (int i = threadIdx.x; i < T::POINTS * grid.levels; i += TILE_THREADS) {
            int point = i % T::POINTS, level = i / T::POINTS;
            DeviceEntry<features> entry{};
            if (point < count)
                entry = encode_point<dimensions, features>(grid, levels[level],
                                                           source.positions + (first + point) * dimensions);
            for (int k = 0; k < features; k++) rows[(level * features + k) * T::ROW + point] = entry.value[k];
        }
    };
    with_grid_sizes(grid, with);
    zero_padding<LANE_POINTS>(rows, grid.levels * grid.features);
}

// `grid` is that of the source, which on the host is a pointer.
template <int LANE_POINTS>
__global__ void __launch_bounds__(TILE_THREADS, 2)
    forward(DeviceLayers layers, const float* packed, int64_t points, D3dMlpInputs source, D3dHashGrid grid,
            float* outputs) {
    using T = Tile<LANE_POINTS>;
    SHARED(Levels, levels);
    share_levels(grid, levels);
    float* rows = static_cast<float*>(dynamic_shared());
    float* result = rows + layers.widest() * T::ROW;
    int64_t first = int64_t(blockIdx.x) * T::POINTS;
    int count = int(points - first < T::POINTS ? points - first : T::POINTS);
    if (source.rows) {
        read_rows<LANE_POINTS>(source.rows, layers.inputs(0), first, count, rows);
    } else {
        encode_tile<LANE_POINTS>(grid, levels, source, first, count, rows);
    }
    __syncthreads();
    if (source.features) write_rows<LANE_POINTS>(source.features, layers.inputs(0), first, count, rows);
    for (int layer = 0; layer < layers.mlp.layers; layer++) {
        forward_layer<LANE_POINTS>(layers, layer, packed, rows, result);
        float* kept = rows;
        rows = result, result = kept;
    }
    write_rows<LANE_POINTS>(outputs, layers.outputs(layers.mlp.layers - 1), first, count, rows);
}

template <int LANE_POINTS>
__device__ float dot_rows(const float* a, const float* b) {
    float sum = 0;
    for (int point = 0; point < Tile<LANE_POINTS>::POINTS; point += 4) {
        auto x = *reinterpret_cast<const Floats<4>*>(a + point);
        auto y = *reinterpret_cast<const Floats<4>*>(b + point);
        for (int p = 0; p < 4; p++) sum += x.of[p] * y.of[p];
    }
    return sum;
}

// Adds the layer's gradient over the tile to the slab: of its matrix and of its biases. A thread has 4 x 4 products,
// its rows and columns far apart so that the lanes' are side by side.
template <int LANE_POINTS>
__device__ void add_parameter_gradient(const DeviceLayers& layers, int layer, const float* gradient,
                                       const float* values, float* slab) {
    constexpr int ROW = Tile<LANE_POINTS>::ROW, POINTS = Tile<LANE_POINTS>::POINTS;
    int inputs = layers.inputs(layer), outputs = layers.outputs(layer);
    int across = whole(inputs, 4) / 4, down = whole(outputs, 4) / 4;
    float* matrix = slab + layers.weights(layer);
    for (int tile = threadIdx.x; tile < across * down; tile += TILE_THREADS) {
        int in = tile % across, out = tile / across;
        float sum[4][4] = {};
        for (int point = 0; point < POINTS; point += 4) {
            Floats<4> g[4], x[4];
            for (int i = 0; i < 4; i++) {
                g[i] = *reinterpret_cast<const Floats<4>*>(gradient + (out + i * down) * ROW + point);
                x[i] = *reinterpret_cast<const Floats<4>*>(values + (in + i * across) * ROW + point);
            }
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++)
                    for (int p = 0; p < 4; p++) sum[i][j] += g[i].of[p] * x[j].of[p];
        }
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) {
                int row = out + i * down, column = in + j * across;
                if (row < outputs && column < inputs) matrix[row * inputs + column] += sum[i][j];
            }
    }
    if (!layers.mlp.biased) return;
    for (int out = threadIdx.x; out < outputs; out += TILE_THREADS) {
        float sum = 0;
        for (int point = 0; point < POINTS; point++) sum += gradient[out * ROW + point];
        slab[layers.biases(layer) + out] += sum;
    }
}

// One layer back: from the gradient of its outputs to that of its inputs, which takes the place of the inputs' values.
template <int LANE_POINTS>
__device__ void backward_layer(const DeviceLayers& layers, int layer, const float* packed, const float* gradient,
                               float* values) {
    using T = Tile<LANE_POINTS>;
    const float* matrix = packed + layers.packed(layer) + layers.forward_floats(layer);
    int inputs = layers.inputs(layer), place = lane_of_warp() * LANE_POINTS;
    product<LANE_POINTS>(matrix, nullptr, inputs, layers.outputs(layer), gradient,
                         [&](int input, typename T::Lane sum) {
                             if (input >= inputs) return;
                             auto& value = *reinterpret_cast<typename T::Lane*>(values + input * T::ROW + place);
                             for (int p = 0; p < LANE_POINTS && layer > 0; p++)
                                 sum.of[p] *= activation_slope(layers.mlp.activation, value.of[p]);
                             value = sum;
                         });
    __syncthreads();
}

template <int LANE_POINTS>
__device__ void copy_tile_rows(float* to, const float* from, int width) {
    for (int i = threadIdx.x; i < whole(width, 4) * Tile<LANE_POINTS>::ROW; i += TILE_THREADS) to[i] = from[i];
}

// `kept` has room for every layer's inputs at one tile, for each block.
template <int LANE_POINTS>
__global__ void __launch_bounds__(TILE_THREADS, 2)
    backward(DeviceLayers layers, const float* packed, int64_t points, const float* inputs, const float* by_outputs,
             float* by_inputs, float* slabs, float* kept) {
    using T = Tile<LANE_POINTS>;
    float* gradient = static_cast<float*>(dynamic_shared());
    float* values = gradient + layers.widest() * T::ROW;
    float* slab = slabs + blockIdx.x * layers.parameters();
    kept += blockIdx.x * layers.kept_rows(layers.mlp.layers) * T::ROW;
    int last = layers.mlp.layers - 1;
    for (int64_t first = int64_t(blockIdx.x) * T::POINTS; first < points; first += int64_t(gridDim.x) * T::POINTS) {
        int count = int(points - first < T::POINTS ? points - first : T::POINTS);
        __syncthreads();
        read_rows<LANE_POINTS>(inputs, layers.inputs(0), first, count, values);
        __syncthreads();
        for (int layer = 0; layer < last; layer++) {
            copy_tile_rows<LANE_POINTS>(kept + layers.kept_rows(layer) * T::ROW, values, layers.inputs(layer));
            forward_layer<LANE_POINTS>(layers, layer, packed, values, gradient);
            float* other = values;
            values = gradient, gradient = other;
        }
        read_rows<LANE_POINTS>(by_outputs, layers.outputs(last), first, count, gradient);
        __syncthreads();
        for (int layer = last; layer >= 0; layer--) {
            if (layer < last) {
                copy_tile_rows<LANE_POINTS>(values, kept + layers.kept_rows(layer) * T::ROW, layers.inputs(layer));
                __syncthreads();
            }
            add_parameter_gradient<LANE_POINTS>(layers, layer, gradient, values, slab);
            __syncthreads();
            if (layer == 0 && !by_inputs) break;
            backward_layer<LANE_POINTS>(layers, layer, packed, gradient, values);
            float* other = values;
            values = gradient, gradient = other;
        }
        if (by_inputs) write_rows<LANE_POINTS>(by_inputs, layers.inputs(0), first, count, gradient);
    }
}

__global__ void add_slabs(int64_t parameters, int slabs, const float* from, float* by_parameters) {
    int64_t i = thread_of_grid();
    if (i >= parameters) return;
    float sum = 0;
    for (int slab = 0; slab < slabs; slab++) sum += from[slab * parameters + i];
    by_parameters[i] = sum;
}

// Whether a lane has 4 points or, where rows of 128 points do not fit into the block's memory, 2.
bool narrow(const DeviceLayers& layers) { return layers.widest() <= 64; }

template <class Visit>
void with_lane_points(const DeviceLayers& layers, Visit visit) {
    if (narrow(layers)) return visit(Constant<4>{});
    visit(Constant<2>{});
}

int64_t tiles(const DeviceLayers& layers, int64_t points) {
    int per_tile = narrow(layers) ? Tile<4>::POINTS : Tile<2>::POINTS;
    return (points + per_tile - 1) / per_tile;
}

int64_t blocks_back(const DeviceLayers& layers, int64_t points) {
    int64_t needed = tiles(layers, points);
    return needed < MOST_BLOCKS ? needed : MOST_BLOCKS;
}

int64_t packed_floats(const DeviceLayers& layers) { return whole(int(layers.packed(layers.mlp.layers)), 4); }

template <int LANE_POINTS>
Grid over_tiles(const DeviceLayers& layers, int64_t blocks) {
    return {unsigned(blocks), TILE_THREADS, 2 * layers.widest() * Tile<LANE_POINTS>::ROW * sizeof(float)};
}

}  // namespace

int64_t d3d_mlp_forward_bytes(const D3dMlp* mlp, const D3dLaunch*) {
    return packed_floats({*mlp}) * int64_t(sizeof(float));
}

int32_t d3d_mlp_forward(const D3dMlp* mlp, int64_t points, const D3dMlpInputs* source, float* outputs, void* workspace,
                        const D3dLaunch* launch) {
    Stream stream(*launch);
    DeviceLayers layers{*mlp};
    auto packed = static_cast<float*>(workspace);
    stream.run(pack, Grid::over(packed_floats(layers), 256), layers, packed);
    D3dHashGrid grid = source->grid ? *source->grid : D3dHashGrid{};
    with_lane_points(layers, [&](auto lane_points) {
        stream.run(forward<lane_points>, over_tiles<lane_points>(layers, tiles(layers, points)), layers, packed,
                   points, *source, grid, outputs);
    });
    return stream.status();
}

int64_t d3d_mlp_gradient_bytes(const D3dMlp* mlp, int64_t points, const D3dLaunch*) {
    DeviceLayers layers{*mlp};
    int64_t row = narrow(layers) ? Tile<4>::ROW : Tile<2>::ROW;
    int64_t per_block = layers.kept_rows(mlp->layers) * row + layers.parameters();
    return (packed_floats(layers) + blocks_back(layers, points) * per_block) * int64_t(sizeof(float));
}

int32_t d3d_mlp_gradient(const D3dMlp* mlp, int64_t points, const float* rows, const float* by_outputs,
                         float* by_inputs, float* by_parameters, void* workspace, const D3dLaunch* launch) {
    Stream stream(*launch);
    DeviceLayers layers{*mlp};
    int64_t blocks = blocks_back(layers, points), parameters = layers.parameters();
    auto packed = static_cast<float*>(workspace);
    float* slabs = packed + packed_floats(layers);
    float* kept = slabs + blocks * parameters;
    stream.run(pack, Grid::over(packed_floats(layers), 256), layers, packed);
    stream.zero(slabs, blocks * parameters * int64_t(sizeof(float)));
    with_lane_points(layers, [&](auto lane_points) {
        stream.run(backward<lane_points>, over_tiles<lane_points>(layers, blocks), layers, packed, points, rows,
                   by_outputs, by_inputs, slabs, kept);
    });
    stream.run(add_slabs, Grid::over(parameters, 256), parameters, int(blocks), slabs, by_parameters);
    return stream.status();
}
