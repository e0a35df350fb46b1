// A block of points through the layers of a perceptron and back, within the cache.
#pragma once

#include <type_traits>

#include "d3d/abi_mlp.h"
#include "d3d/mlp.h"
#include "mlp_multiply.h"

namespace d3d {

constexpr int BLOCK = 48;  // points; a multiple of TILE_ROWS

inline int whole_lanes(int size) { return (size + LANES - 1) / LANES * LANES; }

// Sizes and places of a perceptron's parts. Rows are padded to whole LANES.
struct Layers {
    const D3dMlp& mlp;

    explicit Layers(const D3dMlp& mlp) : mlp(mlp) {}
    int count() const { return mlp.layers; }
    int inputs(int layer) const { return mlp.sizes[layer]; }
    int outputs(int layer) const { return mlp.sizes[layer + 1]; }
    int padded(int size) const { return whole_lanes(mlp.sizes[size]); }
    int widest() const {
        int widest = 0;
        for (int i = 0; i <= mlp.layers; i++) widest = std::max(widest, padded(i));
        return widest;
    }
    int64_t weights(int layer) const {  // where the layer's matrix begins among the parameters
        int64_t at = 0;
        for (int i = 0; i < layer; i++) at += int64_t(inputs(i)) * outputs(i);
        return at;
    }
    int64_t biases(int layer) const {
        int64_t at = weights(count());
        for (int i = 0; i < layer; i++) at += outputs(i);
        return at;
    }
    int64_t parameters() const { return mlp.biased ? biases(count()) : weights(count()); }
};

// The parameters in the order in which products read them: for each layer its matrix by inputs [inputs, outputs] and
// a row of biases to go forward, its matrix by outputs [outputs, inputs] to go back.
struct Packed {
    const float *by_inputs[D3D_MLP_LAYERS], *biases[D3D_MLP_LAYERS], *by_outputs[D3D_MLP_LAYERS];

    static int64_t floats(const Layers& layers) {
        int64_t floats = 0;
        for (int i = 0; i < layers.count(); i++)
            floats += int64_t(layers.inputs(i) + 1) * layers.padded(i + 1) +
                      int64_t(layers.outputs(i)) * layers.padded(i);
        return floats;
    }
    Packed(const Layers& layers, float* memory) {
        std::fill_n(memory, floats(layers), 0.f);
        for (int layer = 0; layer < layers.count(); layer++) {
            int rows = layers.inputs(layer), columns = layers.outputs(layer);
            int across = layers.padded(layer + 1), back = layers.padded(layer);
            float *forward = memory, *bias = forward + rows * across, *backward = bias + across;
            const float* weights = layers.mlp.parameters + layers.weights(layer);
            for (int out = 0; out < columns; out++)
                for (int in = 0; in < rows; in++)
                    forward[in * across + out] = backward[out * back + in] = weights[out * rows + in];
            if (layers.mlp.biased) std::copy_n(layers.mlp.parameters + layers.biases(layer), columns, bias);
            by_inputs[layer] = forward, biases[layer] = bias, by_outputs[layer] = backward;
            memory = backward + columns * back;
        }
    }
};

// Every layer's values at a block of points, the inputs first.
struct Values {
    float* of[D3D_MLP_LAYERS + 1];

    static int64_t floats(const Layers& layers) {  // without the inputs, which the caller brings
        int64_t floats = 0;
        for (int i = 1; i <= layers.count(); i++) floats += int64_t(BLOCK) * layers.padded(i);
        return floats;
    }
    Values(const Layers& layers, float* inputs, float* memory) {
        of[0] = inputs;
        for (int i = 1; i <= layers.count(); i++) {
            of[i] = memory;
            memory += int64_t(BLOCK) * layers.padded(i);
        }
    }
};

template <class Visit>
inline void with_activation(int activation, Visit visit) {
    switch (activation) {
        case ACTIVATION_RELU: return visit(std::integral_constant<int, ACTIVATION_RELU>{});
        case ACTIVATION_SOFTPLUS: return visit(std::integral_constant<int, ACTIVATION_SOFTPLUS>{});
    }
}

inline void forward(const Layers& layers, const Packed& packed, const Values& values) {
    for (int layer = 0; layer < layers.count(); layer++) {
        int from = layers.padded(layer), to = layers.padded(layer + 1);
        float* result = values.of[layer + 1];
        multiply({values.of[layer], from, 1}, BLOCK, packed.by_inputs[layer], to, to, layers.inputs(layer),
                 packed.biases[layer], 0, result, to);
        if (layer + 1 == layers.count()) return;
        with_activation(layers.mlp.activation, [&](auto activation) {
            for (int i = 0; i < BLOCK * to; i += LANES) store(result + i, activate(activation, load(result + i)));
        });
    }
}

// The parameters' gradients, each layer's matrix [outputs, inputs] with padded rows and then its biases.
struct ParameterSums {
    float *weights[D3D_MLP_LAYERS], *biases[D3D_MLP_LAYERS];

    static int64_t floats(const Layers& layers) {
        int64_t floats = 0;
        for (int i = 0; i < layers.count(); i++)
            floats += layers.outputs(i) * int64_t(layers.padded(i)) + layers.padded(i + 1);
        return floats;
    }
    ParameterSums(const Layers& layers, float* memory) {
        for (int i = 0; i < layers.count(); i++) {
            weights[i] = memory;
            biases[i] = memory + layers.outputs(i) * int64_t(layers.padded(i));
            memory = biases[i] + layers.padded(i + 1);
        }
    }
};

// From the outputs' gradient, whose padding is zero, to the parameters' sums and the inputs'. `gradient` and `other`
// are memory for BLOCK rows as wide as the widest layer; the result is in one of them.
inline const float* backward(const Layers& layers, const Packed& packed, const Values& values,
                             const ParameterSums& sums, float* gradient, float* other, bool to_inputs) {
    alignas(64) static const float zeros[D3D_MLP_WIDTH] = {};
    for (int layer = layers.count() - 1; layer >= 0; layer--) {
        int from = layers.padded(layer), to = layers.padded(layer + 1), outputs = layers.outputs(layer);
        multiply({gradient, 1, to}, outputs, values.of[layer], from, from, BLOCK, sums.weights[layer], from,
                 sums.weights[layer], from);
        if (layers.mlp.biased)
            for (int point = 0; point < BLOCK; point++)
                for (int i = 0; i < to; i += LANES)
                    store(sums.biases[layer] + i, load(sums.biases[layer] + i) + load(gradient + point * to + i));
        if (layer == 0 && !to_inputs) return nullptr;
        multiply({gradient, to, 1}, BLOCK, packed.by_outputs[layer], from, from, outputs, zeros, 0, other, from);
        std::swap(gradient, other);
        if (layer == 0) return gradient;
        with_activation(layers.mlp.activation, [&](auto activation) {
            const float* value = values.of[layer];
            for (int i = 0; i < BLOCK * from; i += LANES)
                store(gradient + i, load(gradient + i) * activation_slope(activation, load(value + i)));
        });
    }
    return gradient;
}

}  // namespace d3d
