/* The C interface of small multilayer perceptrons. See abi.h for the rules; distill3d/ops/_mlp_kernels.py mirrors
 * this file. */
#pragma once

#include "abi_hashgrid.h"

#ifdef __cplusplus
extern "C" {
#endif

#define D3D_MLP_LAYERS 8
#define D3D_MLP_WIDTH 128

typedef struct D3dMlp {
    int32_t layers;                     /* matrices, at most D3D_MLP_LAYERS */
    int32_t activation;                 /* between layers, d3d::Activation */
    int32_t biased;                     /* whether there are biases */
    int32_t sizes[D3D_MLP_LAYERS + 1];  /* inputs, hidden, ..., outputs; 1 to D3D_MLP_WIDTH each */
    const float* parameters;            /* every matrix [outputs, inputs] of a layer, then every bias [outputs] */
} D3dMlp;

/* Where inputs come from: rows of memory, or a hash grid whose features they are. */
typedef struct D3dMlpInputs {
    const float* rows;       /* [points, sizes[0]], or null */
    const D3dHashGrid* grid; /* null where there are rows */
    const float* positions;  /* [points, dimensions], for the grid */
    float* features;         /* [points, sizes[0]], where the grid's features are kept, or null */
} D3dMlpInputs;

D3D_EXPORT int64_t d3d_mlp_forward_bytes(const D3dMlp*, const D3dLaunch*);
D3D_EXPORT int32_t d3d_mlp_forward(const D3dMlp*, int64_t points, const D3dMlpInputs*, float* outputs, void* workspace,
                                   const D3dLaunch*);

/* rows and by_inputs: [points, sizes[0]], the latter or null; by_parameters: as parameters. */
D3D_EXPORT int64_t d3d_mlp_gradient_bytes(const D3dMlp*, int64_t points, const D3dLaunch*);
D3D_EXPORT int32_t d3d_mlp_gradient(const D3dMlp*, int64_t points, const float* rows, const float* by_outputs,
                                    float* by_inputs, float* by_parameters, void* workspace, const D3dLaunch*);

#ifdef __cplusplus
}
#endif
