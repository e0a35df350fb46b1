// Sorting and running sums over whole arrays on the device: CUB under nvcc, plain loops in the emulator.
//
// Arrays have less than 2^31 elements, and may be empty. Each function has a *_bytes companion, a multiple of 256.
#pragma once

#include "device.h"

namespace d3d {

// Two arrays of which one is read and the other written.
template <class T>
struct FromTo {
    T *from, *to;
};

// Sorts keys, uint32_t, by their bits first_bit .. end_bit - 1, and the values with them; equal keys keep their order.
// What is in the `from` arrays afterwards is undefined.
template <class Key>
int64_t sort_bytes(int64_t count);
template <class Key>
void sort_by_key(Stream&, FromTo<Key> keys, FromTo<uint32_t> values, int64_t count, int first_bit, int end_bit,
                 void* workspace);

// sums.to[i] = sums.from[0] + ... + sums.from[i - 1], for int32_t and int64_t; the two may be the same array.
template <class T>
int64_t running_sum_bytes(int64_t count);
template <class T>
void running_sum(Stream&, FromTo<T> sums, int64_t count, void* workspace);

inline int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }

// Cuts a workspace into arrays, each aligned to 256 bytes; without memory, it counts how much they need.
class Arena {
public:
    explicit Arena(void* memory) : memory(static_cast<char*>(memory)) {}
    template <class T>
    T* take(int64_t count) {
        char* at = memory ? memory + used : nullptr;
        used += aligned(count * int64_t(sizeof(T)));
        return reinterpret_cast<T*>(at);
    }
    int64_t bytes() const { return used; }

private:
    char* memory;
    int64_t used = 0;
};

}  // namespace d3d
