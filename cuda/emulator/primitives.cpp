// cuda/gpu/primitives.h in plain loops. Workspaces are asked for and scribbled over, as those of CUB are.

#include "../gpu/primitives.h"

#include <numeric>
#include <vector>

namespace d3d {

namespace {

constexpr int64_t WORKSPACE = 256;

void scribble(void* workspace) { std::memset(workspace, 0xff, WORKSPACE); }

}  // namespace

template <class Key>
int64_t sort_bytes(int64_t) {
    return WORKSPACE;
}

template <class Key>
void sort_by_key(Stream& stream, FromTo<Key> keys, FromTo<uint32_t> values, int64_t count, int first_bit, int end_bit,
                 void* workspace) {
    if (!stream.ok() || count == 0) return;
    scribble(workspace);
    const Key mask = end_bit - first_bit < int(8 * sizeof(Key)) ? (Key(1) << (end_bit - first_bit)) - 1 : ~Key(0);
    auto digits = [&](int64_t i) { return keys.from[i] >> first_bit & mask; };
    std::vector<int64_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return digits(a) < digits(b); });
    for (int64_t i = 0; i < count; i++) keys.to[i] = keys.from[order[i]], values.to[i] = values.from[order[i]];
    std::memset(keys.from, 0xff, size_t(count) * sizeof(Key));
    std::memset(values.from, 0xff, size_t(count) * sizeof(uint32_t));
}

template <class T>
int64_t running_sum_bytes(int64_t) {
    return WORKSPACE;
}

template <class T>
void running_sum(Stream& stream, FromTo<T> sums, int64_t count, void* workspace) {
    if (!stream.ok() || count == 0) return;
    scribble(workspace);
    T sum = 0;
    for (int64_t i = 0; i < count; i++) {
        T value = sums.from[i];
        sums.to[i] = sum;
        sum += value;
    }
}

#define D3D_SORT(Key)                          \
    template int64_t sort_bytes<Key>(int64_t); \
    template void sort_by_key<Key>(Stream&, FromTo<Key>, FromTo<uint32_t>, int64_t, int, int, void*);
D3D_SORT(uint32_t)

#define D3D_RUNNING_SUM(T)                         \
    template int64_t running_sum_bytes<T>(int64_t); \
    template void running_sum<T>(Stream&, FromTo<T>, int64_t, void*);
D3D_RUNNING_SUM(int32_t)
D3D_RUNNING_SUM(int64_t)

}  // namespace d3d
