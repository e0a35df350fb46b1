// A point between the entries of a grid: linear interpolation along one axis, and its derivative. The definition is
// grids_reference.
#pragma once

#include "abi_grids.h"
#include "lane.h"

namespace d3d {

template <class F>
struct Between {
    int32_t at;  // the entry in front; the next one is at + 1
    F share[2];  // of both
    F slope;     // of the second share by the coordinate in [-1, 1]; 0 outside
};

template <class F>
D3D_INLINE Between<F> between(F coordinate, int32_t size) {
    F scale = F(0.5) * F(size - 1), place = (coordinate + 1) * scale;
    Between<F> b;
    b.slope = coordinate >= -1 && coordinate <= 1 ? scale : F(0);
    place = place > 0 ? place : F(0);  // NaN goes to 0 as well
    place = place < F(size - 1) ? place : F(size - 1);
    b.at = int32_t(place) < size - 2 ? int32_t(place) : size - 2;
    b.share[1] = place - F(b.at);
    b.share[0] = 1 - b.share[1];
    return b;
}

// The axes of plane 0, 1, 2: across and down, xy, xz, yz; and along the line that stands on it, z, y, x.
D3D_INLINE int axis_across(int plane) { return plane == 2 ? 1 : 0; }
D3D_INLINE int axis_down(int plane) { return plane == 0 ? 1 : 2; }
D3D_INLINE int axis_along(int plane) { return 2 - plane; }

// The entries around a point in a table of 1, 2 or 3 axes, how much each counts, and the derivatives of that by the
// coordinates. Entry k lies in front on axis i where bit i of k is 0.
template <class F, int AXES>
struct Around {
    static constexpr int COUNT = 1 << AXES;
    int64_t at[COUNT];
    F share[COUNT], slope[COUNT][AXES];
};

template <class F, int AXES>
D3D_INLINE Around<F, AXES> around(const Between<F> (&axes)[AXES], const int32_t (&size)[AXES]) {
    Around<F, AXES> result;
    for (int k = 0; k < Around<F, AXES>::COUNT; k++) {
        int64_t at = 0;
        F share = 1;
        for (int i = AXES - 1; i >= 0; i--) {
            int next = k >> i & 1;
            at = at * size[i] + axes[i].at + next;
            share *= axes[i].share[next];
        }
        result.at[k] = at, result.share[k] = share;
        for (int i = 0; i < AXES; i++) {
            F slope = (k >> i & 1) ? axes[i].slope : -axes[i].slope;
            for (int j = 0; j < AXES; j++)
                if (j != i) slope *= axes[j].share[k >> j & 1];
            result.slope[k][i] = slope;
        }
    }
    return result;
}

template <class F>
D3D_INLINE Around<F, 3> around_in_voxels(const D3dGrid& grid, const F* at) {
    const Between<F> axes[3] = {between(at[0], grid.size[0]), between(at[1], grid.size[1]),
                                between(at[2], grid.size[2])};
    const int32_t size[3] = {grid.size[0], grid.size[1], grid.size[2]};
    return around<F, 3>(axes, size);
}

template <class F>
D3D_INLINE Around<F, 2> around_in_plane(const D3dGrid& grid, int plane, const F* at) {
    const Between<F> axes[2] = {between(at[axis_across(plane)], grid.size[0]),
                                between(at[axis_down(plane)], grid.size[0])};
    const int32_t size[2] = {grid.size[0], grid.size[0]};
    Around<F, 2> result = around<F, 2>(axes, size);
    for (int64_t& entry : result.at) entry += int64_t(plane) * grid.size[0] * grid.size[0];
    return result;
}

template <class F>
D3D_INLINE Around<F, 1> around_on_line(const D3dGrid& grid, int plane, const F* at) {
    const Between<F> axes[1] = {between(at[axis_along(plane)], grid.size[0])};
    const int32_t size[1] = {grid.size[0]};
    Around<F, 1> result = around<F, 1>(axes, size);
    for (int64_t& entry : result.at) entry += int64_t(plane) * grid.size[0];
    return result;
}

// One channel at the point; `table` starts at that channel.
template <class F, int AXES>
D3D_INLINE F blend_entries(const Around<F, AXES>& around, const F* table, int channels) {
    F sum = 0;
    for (int k = 0; k < Around<F, AXES>::COUNT; k++) sum += around.share[k] * table[around.at[k] * channels];
    return sum;
}

}  // namespace d3d
