// A stream's device, and its plain memory operations.

#include "device.h"

#include <cstring>

namespace d3d {

#if defined(__CUDACC__)

Stream::Stream(const D3dLaunch& launch) : stream(launch.stream), previous_device(launch.device) {
    cudaGetLastError();  // what others left behind is not ours to report
    check(cudaGetDevice(&previous_device));
    if (previous_device != launch.device) check(cudaSetDevice(launch.device));
}

Stream::~Stream() {
    int current = previous_device;
    if (cudaGetDevice(&current) == cudaSuccess && current != previous_device) cudaSetDevice(previous_device);
}

void Stream::fill(void* memory, unsigned char byte, int64_t bytes) {
    if (!failed && bytes > 0) check(cudaMemsetAsync(memory, byte, size_t(bytes), static_cast<cudaStream_t>(stream)));
}

void Stream::copy(void* to, const void* from, int64_t bytes) {
    if (!failed && bytes > 0)
        check(cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(stream)));
}

#else

Stream::Stream(const D3dLaunch& launch) : stream(launch.stream), previous_device(launch.device) {}
Stream::~Stream() = default;

void Stream::fill(void* memory, unsigned char byte, int64_t bytes) {
    if (!failed && bytes > 0) std::memset(memory, byte, size_t(bytes));
}

void Stream::copy(void* to, const void* from, int64_t bytes) {
    if (!failed && bytes > 0) std::memcpy(to, from, size_t(bytes));
}

#endif

}  // namespace d3d
