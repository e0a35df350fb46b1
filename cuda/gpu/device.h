// A CUDA stream on which an operation puts its work, and shared memory; the same text for nvcc and for the emulator.
//
//     Stream stream(*launch);
//     stream.run(double_them, Grid::over(count, 256), count, values);
//     return stream.status();
//
// The first failure stays, and what follows it is left out. Nothing here waits for the device or allocates.
#pragma once

#include <cstdint>
#include <type_traits>

#include "d3d/abi.h"
#include "d3d/lane.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#else
#include "../emulator/emulator.h"
#endif

namespace d3d {

constexpr unsigned ALL_LANES = ~0u;
constexpr int WARP = 32;

// SHARED(float[256], sums): memory of the block, in a kernel.
#if defined(__CUDACC__)
template <class T>
struct Same {
    using Type = T;
};
#define SHARED(T, name) __shared__ typename d3d::Same<T>::Type name
#else
#define SHARED(T, name)                                   \
    static d3d::emulator::Shared<T> name##_of_the_block;  \
    auto& name = name##_of_the_block.get()
#endif

// The block's dynamic memory, whose size is in the Grid; aligned to 16 bytes.
__device__ __forceinline__ void* dynamic_shared() {
#if defined(__CUDACC__)
    extern __shared__ __align__(16) unsigned char d3d_dynamic_shared[];
    return d3d_dynamic_shared;
#else
    return emulator::dynamic_shared();
#endif
}

// The place of a thread in a grid of one dimension.
__device__ __forceinline__ int64_t thread_of_grid() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }

struct Grid {
    dim3 blocks, threads;
    size_t shared_bytes = 0;

    Grid(dim3 blocks, dim3 threads, size_t shared_bytes = 0)
        : blocks(blocks), threads(threads), shared_bytes(shared_bytes) {}
    // As many blocks as `count` threads need; none for 0. At most 2^31 - 1 blocks.
    static Grid over(int64_t count, unsigned threads) { return {unsigned((count + threads - 1) / threads), threads}; }
    bool empty() const { return blocks.x == 0 || blocks.y == 0 || blocks.z == 0; }
};

class Stream {
public:
    explicit Stream(const D3dLaunch& launch);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // Puts a kernel on the stream; its parameters are copied, so none may be a reference or point to the host.
    template <class... Parameters, class... Arguments>
    void run(void (*kernel)(Parameters...), const Grid& grid, Arguments... arguments) {
        static_assert((!std::is_reference_v<Parameters> && ...), "a kernel takes its parameters by value");
        static_assert((std::is_trivially_copyable_v<Parameters> && ...), "a kernel's parameters are copied as bytes");
        if (failed || grid.empty()) return;
#if defined(__CUDACC__)
        if (grid.shared_bytes > 48 << 10)
            check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(grid.shared_bytes)));
        if (failed) return;
        kernel<<<grid.blocks, grid.threads, grid.shared_bytes, static_cast<cudaStream_t>(stream)>>>(arguments...);
        check(cudaGetLastError());
#else
        failed = !emulator::run(grid.blocks, grid.threads, grid.shared_bytes, [=] { kernel(arguments...); });
#endif
    }

    void fill(void* device_memory, unsigned char byte, int64_t bytes);
    void zero(void* device_memory, int64_t bytes) { fill(device_memory, 0, bytes); }
    void copy(void* to, const void* from, int64_t bytes);  // both on the device

#if defined(__CUDACC__)
    void check(cudaError_t error) { failed = failed || error != cudaSuccess; }
#endif
    int32_t status() const { return failed ? D3D_DEVICE_ERROR : D3D_OK; }
    bool ok() const { return !failed; }
    void* handle() const { return stream; }

private:
    void* stream;
    int previous_device;
    bool failed = false;
};

}  // namespace d3d
