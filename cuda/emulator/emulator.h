// Just enough of CUDA for g++ to compile cuda/gpu/*.cu and to run it on a processor, slowly and exactly.
//
// Blocks run one after the other. A block's threads are fibres, each of which runs until it has to wait for others;
// even blocks take them forwards and odd blocks backwards, so that a missing barrier shows. Shared memory is full of
// NaN when a block starts. A barrier that not all threads reach, an exchange among lanes that do not agree on
// its mask, and a grid that no device can take end the launch with a sentence on stderr and D3D_DEVICE_ERROR.
// What it cannot show: waiting in a loop for another thread hangs, and host code may read device memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

namespace d3d::emulator {

// A place in the source, by default that of the outermost call.
struct Site {
    const char* file;
    int line;
    static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return {file, line};
    }
    bool operator==(const Site& other) const { return line == other.line && std::strcmp(file, other.file) == 0; }
};

// Runs `thread` for every thread of the grid; false, with a sentence on stderr, where CUDA forbids what it does.
bool run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& thread);

void* dynamic_shared();

// All threads of the block meet; how many of them gave true.
int barrier(bool vote, Site site);

// The lanes of `mask` meet; what each of them gave, by lane. The array is the caller's until its next exchange.
const uint64_t* exchange(unsigned mask, uint64_t given, Site site);

int lane();

// Ends the launch with a sentence.
[[noreturn]] void forbid(const char* sentence, Site site);

// Memory that is poisoned whenever a block starts.
class SharedMemory {
public:
    SharedMemory(void* memory, size_t bytes);
};

template <class T>
struct Shared : SharedMemory {
    Shared() : SharedMemory(memory, sizeof memory) {}
    T& get() { return *reinterpret_cast<T*>(memory); }
    alignas(16) unsigned char memory[sizeof(T)];
};

template <class T>
uint64_t bits_of(T value) {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}

template <class T>
T from_bits(uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// What lane `source` gave, for sources within this lane's group of `width`; otherwise this lane's own value.
template <class T>
T shuffle(unsigned mask, T value, int source, int width, Site site) {
    const uint64_t* given = exchange(mask, bits_of(value), site);
    int first = lane() / width * width;
    if (source < first || source >= first + width) return value;
    if (!(mask >> source & 1)) forbid("reads from a lane outside its mask", site);
    return from_bits<T>(given[source]);
}

template <class T, class Combine>
T reduce(unsigned mask, T value, Combine combine, Site site) {
    const uint64_t* given = exchange(mask, bits_of(value), site);
    int other = __builtin_ctz(mask);
    T result = from_bits<T>(given[other]);
    for (unsigned left = mask & (mask - 1); left; left &= left - 1)
        result = combine(result, from_bits<T>(given[__builtin_ctz(left)]));
    return result;
}

inline unsigned ballot(unsigned mask, bool vote, Site site) {
    const uint64_t* given = exchange(mask, vote, site);
    unsigned bits = 0;
    for (unsigned left = mask; left; left &= left - 1)
        if (given[__builtin_ctz(left)]) bits |= left & -left;
    return bits;
}

}  // namespace d3d::emulator

#define D3D_SITE d3d::emulator::Site site = d3d::emulator::Site::here()

// Barriers and exchanges

inline void __syncthreads(D3D_SITE) { d3d::emulator::barrier(false, site); }
inline int __syncthreads_count(int vote, D3D_SITE) { return d3d::emulator::barrier(vote, site); }
inline int __syncthreads_or(int vote, D3D_SITE) { return d3d::emulator::barrier(vote, site) > 0; }
inline int __syncthreads_and(int vote, D3D_SITE) { return d3d::emulator::barrier(!vote, site) == 0; }

inline void __syncwarp(unsigned mask = ~0u, D3D_SITE) { d3d::emulator::exchange(mask, 0, site); }
inline unsigned __ballot_sync(unsigned mask, int vote, D3D_SITE) { return d3d::emulator::ballot(mask, vote, site); }
inline int __any_sync(unsigned mask, int vote, D3D_SITE) { return d3d::emulator::ballot(mask, vote, site) != 0; }
inline int __all_sync(unsigned mask, int vote, D3D_SITE) { return d3d::emulator::ballot(mask, vote, site) == mask; }

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, D3D_SITE) {
    int first = d3d::emulator::lane() / width * width;
    return d3d::emulator::shuffle(mask, value, first + (source & (width - 1)), width, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, D3D_SITE) {
    return d3d::emulator::shuffle(mask, value, d3d::emulator::lane() ^ bits, width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, D3D_SITE) {
    return d3d::emulator::shuffle(mask, value, d3d::emulator::lane() + int(by), width, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, D3D_SITE) {
    return d3d::emulator::shuffle(mask, value, d3d::emulator::lane() - int(by), width, site);
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, D3D_SITE) {
    const uint64_t* given = d3d::emulator::exchange(mask, d3d::emulator::bits_of(value), site);
    unsigned bits = 0;
    for (unsigned left = mask; left; left &= left - 1)
        if (given[__builtin_ctz(left)] == d3d::emulator::bits_of(value)) bits |= left & -left;
    return bits;
}
template <class T>
T __reduce_add_sync(unsigned mask, T value, D3D_SITE) {
    return d3d::emulator::reduce(mask, value, [](T a, T b) { return T(a + b); }, site);
}
template <class T>
T __reduce_min_sync(unsigned mask, T value, D3D_SITE) {
    return d3d::emulator::reduce(mask, value, [](T a, T b) { return a < b ? a : b; }, site);
}
template <class T>
T __reduce_max_sync(unsigned mask, T value, D3D_SITE) {
    return d3d::emulator::reduce(mask, value, [](T a, T b) { return a > b ? a : b; }, site);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value, D3D_SITE) {
    return d3d::emulator::reduce(mask, value, [](unsigned a, unsigned b) { return a | b; }, site);
}

// Atomic operations: no two threads run at once, so plain ones. Each returns the old value.

template <class T, class Combine>
T d3d_replace(T* at, Combine combine) {
    T old = *at;
    *at = combine(old);
    return old;
}
template <class T>
T atomicAdd(T* at, T by) {
    return d3d_replace(at, [&](T old) { return T(old + by); });
}
template <class T>
T atomicSub(T* at, T by) {
    return d3d_replace(at, [&](T old) { return T(old - by); });
}
template <class T>
T atomicMin(T* at, T by) {
    return d3d_replace(at, [&](T old) { return by < old ? by : old; });
}
template <class T>
T atomicMax(T* at, T by) {
    return d3d_replace(at, [&](T old) { return by > old ? by : old; });
}
template <class T>
T atomicOr(T* at, T by) {
    return d3d_replace(at, [&](T old) { return T(old | by); });
}
template <class T>
T atomicAnd(T* at, T by) {
    return d3d_replace(at, [&](T old) { return T(old & by); });
}
template <class T>
T atomicExch(T* at, T by) {
    return d3d_replace(at, [&](T) { return by; });
}
template <class T>
T atomicCAS(T* at, T expected, T by) {
    return d3d_replace(at, [&](T old) { return old == expected ? by : old; });
}
inline void __threadfence() {}
inline void __threadfence_block() {}

// Numbers

#include "numbers.h"
