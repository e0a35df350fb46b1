// Where a silhouette crosses the way from one pixel's centre to its neighbour's. The definition is
// antialias_reference.
//
// An edge from p_i to p_j and the eye span a plane; on a ray d its function e(d) = d · (p_i × p_j) is positive on
// the triangle's side. On the way from ray n to ray m it vanishes at t = a / (a - b) for a = e(n), b = e(m).
// Backwards, with x = n + t (m - n) the ray through the crossing: ∂t/∂p_i = p_j × x / (a - b), and
// ∂t/∂p_j = x × p_i / (a - b).
// Source: Laine et al. 2020 (arXiv 2011.03277), section 3.6.
#pragma once

#include <cstdint>

#include "lane.h"

namespace d3d {

constexpr int WALK_FACES = 16;  // so many faces may lie between a pixel's centre and the silhouette
constexpr int32_t NO_EDGE = -1;

template <class S>
struct Vector {
    S x, y, z;
};

template <class S>
D3D_INLINE Vector<S> operator-(const Vector<S>& a, const Vector<S>& b) {
    return {a.x - b.x, a.y - b.y, a.z - b.z};
}
template <class S>
D3D_INLINE Vector<S> operator*(S s, const Vector<S>& a) {
    return {s * a.x, s * a.y, s * a.z};
}
template <class S>
D3D_INLINE S dot(const Vector<S>& a, const Vector<S>& b) {
    return a.x * b.x + a.y * b.y + a.z * b.z;
}
template <class S>
D3D_INLINE Vector<S> cross(const Vector<S>& a, const Vector<S>& b) {
    return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

// A mesh in one camera's frame. `opposite` has for each corner the one across its opposite edge, or -1.
template <class S>
struct Surface {
    const Vector<S>* points;
    const int32_t *faces, *opposite;
    int64_t point_count, corner_count;

    // NaN where there is none.
    D3D_INLINE Vector<S> point(int32_t corner) const {
        int64_t index = faces[corner];
        return index >= 0 && index < point_count ? points[index] : Vector<S>{S(NAN), S(NAN), S(NAN)};
    }
    D3D_INLINE int32_t across(int32_t corner) const {
        int32_t other = opposite[corner];
        return other >= 0 && other < corner_count ? other : NO_EDGE;
    }
};

// The edge opposite a corner, and on which side of it that corner lies.
template <class S>
struct Edge {
    Vector<S> from, to, normal;

    D3D_INLINE Edge(const Surface<S>& surface, int32_t corner) {
        int32_t first = corner - corner % 3;
        from = surface.point(first + (corner + 1) % 3), to = surface.point(first + (corner + 2) % 3);
        normal = cross(from, to - from);
        if (!(dot(normal, surface.point(corner)) >= 0)) normal = S(-1) * normal;
    }
};

// Whether the surface ends at the edge opposite a corner, or folds back there, as the camera sees it.
template <class S>
D3D_INLINE bool is_silhouette(const Surface<S>& surface, int32_t corner, const Vector<S>& normal) {
    int32_t other = surface.across(corner);
    return other < 0 || !(dot(normal, surface.point(other)) < 0);
}

// An edge is left to the rows if it is steeper in the picture than 45°, otherwise to the columns: then the
// crossings along either measure the area beside it, and none is counted twice.
template <class S>
D3D_INLINE bool crosses_rows(const Vector<S>& normal, S fx, S fy) {
    S across = normal.x / fx, down = normal.y / fy;
    return across * across >= down * down;
}

template <class S>
struct Crossing {
    S t;             // 0 at n, 1 at m
    int32_t corner;  // opposite the edge, or NO_EDGE
};

// The first silhouette on the way from ray n, on `face`, to ray m: over the surface, face by face.
template <class S>
D3D_INLINE Crossing<S> find_crossing(const Surface<S>& surface, int32_t face, const Vector<S>& n, const Vector<S>& m,
                                     bool along_row, S fx, S fy) {
    int32_t entry = NO_EDGE;
    for (int step = 0; step < WALK_FACES; step++) {
        Crossing<S> exit{S(2), NO_EDGE};
        Vector<S> normal{};
        for (int32_t corner = 3 * face; corner < 3 * face + 3; corner++) {
            if (corner == entry) continue;
            Edge<S> edge(surface, corner);
            S a = greater(dot(edge.normal, n), S(0)), b = dot(edge.normal, m);
            if (!(b < 0)) continue;
            S t = a / (a - b);
            if (t < exit.t) exit = {t, corner}, normal = edge.normal;
        }
        if (exit.corner == NO_EDGE) return exit;
        if (is_silhouette(surface, exit.corner, normal))
            return crosses_rows(normal, fx, fy) == along_row ? exit : Crossing<S>{S(2), NO_EDGE};
        entry = surface.across(exit.corner);
        face = entry / 3;
    }
    return {S(2), NO_EDGE};
}

template <class S>
struct EdgeGradient {
    Vector<S> from, to;
};

// The gradient of the edge's ends, for that of t.
template <class S>
D3D_INLINE EdgeGradient<S> crossing_gradient(const Edge<S>& edge, const Vector<S>& n, const Vector<S>& m, S by_t) {
    S a = dot(edge.normal, n), b = dot(edge.normal, m);
    Vector<S> plain = cross(edge.from, edge.to - edge.from);
    S side = dot(plain, edge.normal) < 0 ? S(-1) : S(1), span = a - b;
    if (!(span > 0)) return {};
    Vector<S> x = n - (a / span) * (n - m);
    S scale = side * by_t / span;
    return {scale * cross(edge.to, x), scale * cross(x, edge.from)};
}

}  // namespace d3d
