// A triangle seen by a camera, as linear functions of the pixel. The definition is mesh_reference.
//
// A pixel's ray d = ((x - cx) / fx, (y - cy) / fy, 1) is w0 p0 + w1 p1 + w2 p2 in the camera-space corners p.
// Each w is linear in the pixel, their sum is 1 / depth, and w / sum are the perspective-correct barycentrics.
// Nothing is clipped: every pixel is tested against the planes.
// Source: Olano and Greer 1997, Triangle Scan Conversion using 2D Homogeneous Coordinates.
//
// Backwards: P w = d for the matrix P of the corners, so dw = -P⁻¹ dP w, and the gradient of corner p_j is
// -P⁻ᵀ (∂L/∂w) w_j. Of a triangle's pixels only the nine sums of (∂L/∂w_i) w_j are needed.
#pragma once

#include "project.h"

namespace d3d {

constexpr float EDGE_TOLERANCE = 1e-6f;
constexpr float BOX_SLACK_PX = 1e-3f;

// A linear function of the pixel, with its value at the centre of the box's first pixel.
template <class S>
struct Plane {
    S at_first, by_column, by_row;
};

struct Triangle {
    Plane<float> share[3], inverse_depth;
    int32_t left, top, right, bottom;  // the pixels that it may cover, last ones included; right < left: none
};

template <class F>
struct Sample {
    F share[3], inverse_depth;
};

D3D_INLINE double dot(const double (&a)[3], const double (&b)[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

D3D_INLINE void cross(const double (&a)[3], const double (&b)[3], double (&out)[3]) {
    out[0] = a[1] * b[2] - a[2] * b[1], out[1] = a[2] * b[0] - a[0] * b[2], out[2] = a[0] * b[1] - a[1] * b[0];
}

// The first pixel whose centre is at or after `low`, and the last at or before `high`, within 0 .. size - 1.
D3D_INLINE void pixels_between(double low, double high, int size, int32_t& first, int32_t& last) {
    double from = ceil(low - 0.5 - BOX_SLACK_PX), to = floor(high - 0.5 + BOX_SLACK_PX);
    first = from > 0 ? (from < size ? int32_t(from) : size) : 0;
    last = to < size - 1 ? (to > -1 ? int32_t(to) : -1) : size - 1;
}

// The box of pixels that may be covered: from the corners where all are in front, otherwise the whole picture.
D3D_INLINE void bound(const double (&p)[3][3], const Camera<double>& camera, Triangle& t) {
    double low_x = 0, high_x = camera.width, low_y = 0, high_y = camera.height;
    if (p[0][2] >= camera.near && p[1][2] >= camera.near && p[2][2] >= camera.near) {
        low_x = low_y = 1e30, high_x = high_y = -1e30;
        for (int corner = 0; corner < 3; corner++) {
            double x = camera.fx * p[corner][0] / p[corner][2] + camera.cx;
            double y = camera.fy * p[corner][1] / p[corner][2] + camera.cy;
            low_x = x < low_x ? x : low_x, high_x = x > high_x ? x : high_x;
            low_y = y < low_y ? y : low_y, high_y = y > high_y ? y : high_y;
        }
    } else if (!(p[0][2] >= camera.near || p[1][2] >= camera.near || p[2][2] >= camera.near)) {
        high_x = low_x - 1;
    }
    pixels_between(low_x, high_x, int(camera.width), t.left, t.right);
    pixels_between(low_y, high_y, int(camera.height), t.top, t.bottom);
}

// The rows of P⁻¹ times the volume det P, which is returned.
D3D_INLINE double invert(const double (&p)[3][3], double (&rows)[3][3]) {
    double edge_1[3], edge_2[3], normal[3];
    for (int i = 0; i < 3; i++) edge_1[i] = p[1][i] - p[0][i], edge_2[i] = p[2][i] - p[0][i];
    cross(edge_1, edge_2, normal);
    cross(edge_2, p[0], rows[1]);
    cross(p[0], edge_1, rows[2]);
    for (int i = 0; i < 3; i++) rows[0][i] = normal[i] - rows[1][i] - rows[2][i];
    return dot(p[0], normal);
}

// The triangle with camera-space corners p. In double, because the corners' differences may be far smaller than
// they are; false when it covers nothing, is seen edge-on or is not finite.
D3D_INLINE bool set_up(const double (&p)[3][3], const Camera<double>& camera, Triangle& t) {
    bound(p, camera, t);
    if (t.right < t.left || t.bottom < t.top) return false;
    double rows[3][3];
    double volume = invert(p, rows);
    if (!(volume - volume == 0) || volume == 0) {
        t.right = t.left - 1;
        return false;
    }
    double ray[3] = {(t.left + 0.5 - camera.cx) / camera.fx, (t.top + 0.5 - camera.cy) / camera.fy, 1};
    double per_volume = 1 / volume;
    for (int i = 0; i < 4; i++) {
        double normal[3];  // of the plane: a row, or the sum of all three for 1 / depth
        for (int j = 0; j < 3; j++) normal[j] = i < 3 ? rows[i][j] : rows[0][j] + rows[1][j] + rows[2][j];
        Plane<float>& plane = i < 3 ? t.share[i] : t.inverse_depth;
        plane.at_first = float(dot(normal, ray) * per_volume);
        plane.by_column = float(normal[0] / camera.fx * per_volume);
        plane.by_row = float(normal[1] / camera.fy * per_volume);
    }
    return true;
}

// Values at `column` and `row`, counted from the box's first pixel.
template <class F>
D3D_INLINE F value_at(const Plane<float>& plane, F column, float row) {
    return plane.at_first + plane.by_row * row + plane.by_column * column;
}

template <class F>
D3D_INLINE Sample<F> sample(const Triangle& t, F column, float row) {
    Sample<F> s;
    for (int i = 0; i < 3; i++) s.share[i] = value_at(t.share[i], column, row);
    s.inverse_depth = value_at(t.inverse_depth, column, row);
    return s;
}

// Whether the pixel's ray meets the triangle between the near and the far plane.
template <class F>
D3D_INLINE Mask<F> covers(const Sample<F>& s, float near, float far) {
    F least = s.inverse_depth * -EDGE_TOLERANCE;
    return (s.share[0] >= least) & (s.share[1] >= least) & (s.share[2] >= least) & (s.inverse_depth * near <= 1) &
           (s.inverse_depth * far >= 1);
}

struct Hit {
    float barycentric[3], depth;
};

// What the pixel at (column, row) of the picture sees of the triangle.
D3D_INLINE Hit hit_at(const Triangle& t, int column, int row) {
    Sample<float> s = sample(t, float(column - t.left), float(row - t.top));
    float kept[3], total = 0;
    for (int i = 0; i < 3; i++) kept[i] = greater(s.share[i], 0.f), total += kept[i];
    return {{kept[0] / total, kept[1] / total, kept[2] / total}, 1 / s.inverse_depth};
}

// How a barycentric changes with the pixel's position: b = w / s for s = 1 / depth, so db = (dw - b ds) / s.
D3D_INLINE void write_derivatives(const Triangle& t, const Hit& hit, float* out) {
    for (int i = 0; i < 3; i++) {
        out[2 * i] = hit.depth * (t.share[i].by_column - hit.barycentric[i] * t.inverse_depth.by_column);
        out[2 * i + 1] = hit.depth * (t.share[i].by_row - hit.barycentric[i] * t.inverse_depth.by_row);
    }
}

// Σ (∂L/∂w_i) w_j over a triangle's pixels in one view.
template <class F>
struct ShareSums {
    F of[3][3];
};

// Adds a pixel, with w = b / depth.
template <class F>
D3D_INLINE void add_pixel(ShareSums<F>& sums, const F (&b)[3], F depth, const F (&by_b)[3], F by_depth) {
    F along = by_b[0] * b[0] + by_b[1] * b[1] + by_b[2] * b[2] + by_depth * depth;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) sums.of[i][j] += (by_b[i] - along) * b[j];
}

// The gradient of the camera-space corners p, added to by_p; nothing where they have no volume.
template <class S>
D3D_INLINE void corner_gradient(const double (&p)[3][3], const ShareSums<S>& sums, double (&by_p)[3][3]) {
    double rows[3][3];
    double volume = invert(p, rows);
    if (!(volume - volume == 0) || volume == 0) return;
    for (int j = 0; j < 3; j++)
        for (int axis = 0; axis < 3; axis++)
            for (int i = 0; i < 3; i++) by_p[j][axis] -= rows[i][axis] * sums.of[i][j] / volume;
}

}  // namespace d3d
