// primitives.h on CUB.

#include "primitives.h"

#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

namespace d3d {

template <class Key>
int64_t sort_bytes(int64_t count) {
    size_t bytes = 0;
    cub::DeviceRadixSort::SortPairs(nullptr, bytes, static_cast<const Key*>(nullptr), static_cast<Key*>(nullptr),
                                    static_cast<const uint32_t*>(nullptr), static_cast<uint32_t*>(nullptr), int(count));
    return aligned(int64_t(bytes));
}

template <class Key>
void sort_by_key(Stream& stream, FromTo<Key> keys, FromTo<uint32_t> values, int64_t count, int first_bit, int end_bit,
                 void* workspace) {
    if (!stream.ok() || count == 0) return;
    size_t bytes = size_t(sort_bytes<Key>(count));
    stream.check(cub::DeviceRadixSort::SortPairs(workspace, bytes, keys.from, keys.to, values.from, values.to,
                                                 int(count), first_bit, end_bit,
                                                 static_cast<cudaStream_t>(stream.handle())));
}

template <class T>
int64_t running_sum_bytes(int64_t count) {
    size_t bytes = 0;
    cub::DeviceScan::ExclusiveSum(nullptr, bytes, static_cast<const T*>(nullptr), static_cast<T*>(nullptr), int(count));
    return aligned(int64_t(bytes));
}

template <class T>
void running_sum(Stream& stream, FromTo<T> sums, int64_t count, void* workspace) {
    if (!stream.ok() || count == 0) return;
    size_t bytes = size_t(running_sum_bytes<T>(count));
    stream.check(cub::DeviceScan::ExclusiveSum(workspace, bytes, sums.from, sums.to, int(count),
                                               static_cast<cudaStream_t>(stream.handle())));
}

#define D3D_SORT(Key)                                                                                           \
    template int64_t sort_bytes<Key>(int64_t);                                                                  \
    template void sort_by_key<Key>(Stream&, FromTo<Key>, FromTo<uint32_t>, int64_t, int, int, void*);
D3D_SORT(uint32_t)

#define D3D_RUNNING_SUM(T)                                                                                      \
    template int64_t running_sum_bytes<T>(int64_t);                                                             \
    template void running_sum<T>(Stream&, FromTo<T>, int64_t, void*);
D3D_RUNNING_SUM(int32_t)
D3D_RUNNING_SUM(int64_t)

}  // namespace d3d
