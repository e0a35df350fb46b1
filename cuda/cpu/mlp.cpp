// Perceptrons over many points, block by block. Threads share the points; for the parameters' gradient the points are
// cut into parts, by their number alone, and the parts' sums are added up in order.

#include <omp.h>

#include "hashgrid_points.h"
#include "mlp_layers.h"

using namespace d3d;

namespace {

static_assert(POINTS % BLOCK == 0, "points come in whole blocks");

// The input rows of up to POINTS points, padded; the last block is filled up with zeros.
struct Inputs {
    const D3dMlpInputs& source;
    int size, padded;
    Encode encode;

    Inputs(const Layers& layers, const D3dMlpInputs& source)
        : source(source), size(layers.inputs(0)), padded(layers.padded(0)),
          encode(source.grid ? encoder(*source.grid) : nullptr) {}
    int64_t floats() const { return int64_t(POINTS) * padded; }

    void read(int64_t first, int count, float* rows) const {
        int whole = (count + BLOCK - 1) / BLOCK * BLOCK;
        if (encode) {
            encode(*source.grid, source.positions, first, count, rows, padded);
            for (int i = 0; source.features && i < count; i++)
                std::copy_n(rows + i * padded, size, source.features + (first + i) * size);
        } else {
            for (int i = 0; i < count; i++) std::copy_n(source.rows + (first + i) * size, size, rows + i * padded);
        }
        for (int i = 0; i < count; i++) std::fill(rows + i * padded + size, rows + (i + 1) * padded, 0.f);
        std::fill(rows + count * padded, rows + whole * padded, 0.f);
    }
};

int64_t thread_floats(const Layers& layers) {
    return int64_t(POINTS) * layers.padded(0) + Values::floats(layers) + 2 * int64_t(BLOCK) * layers.widest();
}

struct Part {
    int64_t first, end;

    static int64_t count(int64_t points) { return std::min<int64_t>(64, (points + 4 * POINTS - 1) / (4 * POINTS)); }
    Part(int64_t points, int64_t part) {
        int64_t chunks = (points + POINTS - 1) / POINTS, parts = count(points);
        first = chunks * part / parts * POINTS;
        end = std::min(points, chunks * (part + 1) / parts * POINTS);
    }
};

// What a thread needs to take points back through the layers.
struct Back {
    const Layers& layers;
    const Packed& packed;
    const Inputs& inputs;
    const float* by_outputs;
    float* by_inputs;
    float *rows, *memory, *gradient, *other;

    Back(const Layers& layers, const Packed& packed, const Inputs& inputs, const float* by_outputs, float* by_inputs,
         float* thread_memory)
        : layers(layers), packed(packed), inputs(inputs), by_outputs(by_outputs), by_inputs(by_inputs),
          rows(thread_memory), memory(rows + inputs.floats()), gradient(memory + Values::floats(layers)),
          other(gradient + int64_t(BLOCK) * layers.widest()) {}

    void block(int64_t first, int count, float* block_rows, const ParameterSums& sums) const {
        int outputs = layers.mlp.sizes[layers.count()], padded = layers.padded(layers.count()), size = inputs.size;
        Values values(layers, block_rows, memory);
        forward(layers, packed, values);
        std::fill_n(gradient, BLOCK * padded, 0.f);
        for (int i = 0; i < count; i++)
            std::copy_n(by_outputs + (first + i) * outputs, outputs, gradient + i * padded);
        const float* result = backward(layers, packed, values, sums, gradient, other, by_inputs != nullptr);
        if (by_inputs)
            for (int i = 0; i < count; i++)
                std::copy_n(result + i * inputs.padded, size, by_inputs + (first + i) * size);
    }
    void part(const Part& part, const ParameterSums& sums) const {
        for (int64_t first = part.first; first < part.end; first += POINTS) {
            int count = int(std::min<int64_t>(POINTS, part.end - first));
            inputs.read(first, count, rows);
            for (int i = 0; i < count; i += BLOCK)
                block(first + i, std::min(BLOCK, count - i), rows + i * inputs.padded, sums);
        }
    }
};

void add_up(const Layers& layers, const float* memory, int64_t parts, float* by_parameters) {
    int64_t floats = ParameterSums::floats(layers);
    std::fill_n(by_parameters, layers.parameters(), 0.f);
    for (int64_t part = 0; part < parts; part++) {
        ParameterSums sums(layers, const_cast<float*>(memory) + part * floats);
        for (int layer = 0; layer < layers.count(); layer++) {
            int inputs = layers.inputs(layer), padded = layers.padded(layer), outputs = layers.outputs(layer);
            float* weights = by_parameters + layers.weights(layer);
            for (int out = 0; out < outputs; out++)
                for (int in = 0; in < inputs; in++)
                    weights[out * inputs + in] += sums.weights[layer][out * padded + in];
            if (!layers.mlp.biased) continue;
            float* biases = by_parameters + layers.biases(layer);
            for (int out = 0; out < outputs; out++) biases[out] += sums.biases[layer][out];
        }
    }
}

}  // namespace

int64_t d3d_mlp_forward_bytes(const D3dMlp* mlp, const D3dLaunch* launch) {
    Layers layers(*mlp);
    return (Packed::floats(layers) + launch->threads * thread_floats(layers)) * int64_t(sizeof(float));
}

int32_t d3d_mlp_forward(const D3dMlp* mlp, int64_t points, const D3dMlpInputs* source, float* outputs, void* workspace,
                        const D3dLaunch* launch) {
    Layers layers(*mlp);
    float* memory = static_cast<float*>(workspace);
    Packed packed(layers, memory);
    Inputs inputs(layers, *source);
    int size = mlp->sizes[mlp->layers], padded = layers.padded(mlp->layers);
#pragma omp parallel num_threads(launch->threads)
    {
        float* rows = memory + Packed::floats(layers) + omp_get_thread_num() * thread_floats(layers);
#pragma omp for schedule(dynamic, 1)
        for (int64_t first = 0; first < points; first += POINTS) {
            int count = int(std::min<int64_t>(POINTS, points - first));
            inputs.read(first, count, rows);
            for (int block = 0; block < count; block += BLOCK) {
                Values values(layers, rows + block * inputs.padded, rows + inputs.floats());
                forward(layers, packed, values);
                for (int i = block; i < std::min(count, block + BLOCK); i++)
                    std::copy_n(values.of[mlp->layers] + (i - block) * padded, size, outputs + (first + i) * size);
            }
        }
    }
    return D3D_OK;
}

int64_t d3d_mlp_gradient_bytes(const D3dMlp* mlp, int64_t points, const D3dLaunch* launch) {
    Layers layers(*mlp);
    return d3d_mlp_forward_bytes(mlp, launch) +
           Part::count(points) * ParameterSums::floats(layers) * int64_t(sizeof(float));
}

int32_t d3d_mlp_gradient(const D3dMlp* mlp, int64_t points, const float* rows, const float* by_outputs,
                         float* by_inputs, float* by_parameters, void* workspace, const D3dLaunch* launch) {
    Layers layers(*mlp);
    int64_t parts = Part::count(points), part_floats = ParameterSums::floats(layers);
    float* part_memory = static_cast<float*>(workspace);
    float* memory = part_memory + parts * part_floats;
    Packed packed(layers, memory);
    D3dMlpInputs source{rows, nullptr, nullptr, nullptr};
    Inputs inputs(layers, source);
#pragma omp parallel num_threads(launch->threads)
    {
        float* thread_memory = memory + Packed::floats(layers) + omp_get_thread_num() * thread_floats(layers);
        Back back(layers, packed, inputs, by_outputs, by_inputs, thread_memory);
#pragma omp for schedule(dynamic, 1)
        for (int64_t part = 0; part < parts; part++) {
            std::fill_n(part_memory + part * part_floats, part_floats, 0.f);
            back.part(Part(points, part), ParameterSums(layers, part_memory + part * part_floats));
        }
    }
    add_up(layers, part_memory, parts, by_parameters);
    return D3D_OK;
}
