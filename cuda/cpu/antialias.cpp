// Pictures blended across silhouettes, along rows and then along columns.

#include "d3d/antialias.h"

#include "antialias.h"

using namespace d3d;

namespace {

// For every face in one view, bit i: the edge opposite corner i is a silhouette.
void mark_silhouettes(const Surface<float>& surface, int64_t faces, uint8_t* marks) {
#pragma omp for schedule(static)
    for (int64_t face = 0; face < faces; face++) {
        marks[face] = 0;
        for (int i = 0; i < 3; i++) {
            int32_t corner = int32_t(3 * face + i);
            marks[face] |= uint8_t(is_silhouette(surface, corner, Edge<float>(surface, corner).normal)) << i;
        }
    }
}

// Whether two faces meet at an edge that is no silhouette, and so are one surface.
bool joined(const Surface<float>& surface, const uint8_t* marks, int32_t face, int32_t other) {
    for (int i = 0; i < 3; i++)
        if (uint32_t(surface.opposite[3 * face + i] - 3 * other) < 3) return !(marks[face] >> i & 1);
    return false;
}

struct Finder {
    const View& view;
    const Surface<float>& surface;
    const uint8_t* marks;
    const int32_t* triangle;  // of the view
    const float* depth;

    // Between the pixel at (column, row) and the one `right` and `down` of it.
    void find(int column, int row, int right, int down, float& shift, int32_t& edge) const {
        int64_t here = int64_t(row) * view.width + column, there = here + int64_t(down) * view.width + right;
        shift = 0, edge = NO_EDGE;
        int32_t face = triangle[here], other = triangle[there];
        if (face == other) return;
        bool second = face < 0 || (other >= 0 && depth[there] < depth[here]);
        if (second) std::swap(face, other);
        if (other >= 0 && joined(surface, marks, face, other)) return;
        Vector<float> n = view.ray(column, row), m = view.ray(column + right, row + down);
        if (second) std::swap(n, m);
        Crossing<float> found = find_crossing(surface, face, n, m, right == 1, view.fx, view.fy);
        if (found.corner == NO_EDGE) return;
        shift = (second ? 1 - found.t : found.t) - 0.5f;
        edge = 2 * found.corner + second;
    }
};

// Takes into `out` what the picture shows, blended with the pixels `stride` before and after.
void blend(const D3dPicture& picture, const float* shift, int64_t pixel, int64_t stride, bool has_before,
           bool has_after, float* out) {
    const int channels = picture.channels;
    float from_before = has_before ? std::max(shift[2 * (pixel - stride)], 0.f) : 0;
    float from_after = has_after ? std::max(-shift[2 * pixel], 0.f) : 0;
    const float* mine = picture.values + pixel * channels;
    std::copy_n(mine, channels, out + pixel * channels);
    if (from_before > 0)
        for (int c = 0; c < channels; c++)
            out[pixel * channels + c] += from_before * (mine[c - stride * channels] - mine[c]);
    if (from_after > 0)
        for (int c = 0; c < channels; c++)
            out[pixel * channels + c] += from_after * (mine[c + stride * channels] - mine[c]);
}

}  // namespace

int64_t d3d_antialias_bytes(const D3dCameras*, const D3dMesh* mesh) {
    return mesh->vertex_count * int64_t(sizeof(Vector<float>)) + mesh->face_count;
}

int32_t d3d_antialias(const D3dCameras* cameras, const D3dMesh* mesh, const int32_t* opposite,
                      const D3dFragments* fragments, const D3dPicture* picture, const D3dCrossings* crossings,
                      float* halfway, float* out, void* memory, const D3dLaunch* launch) {
    const int width = cameras->width, height = cameras->height;
    const D3dPicture between{picture->channels, halfway};
    Vector<float>* points = static_cast<Vector<float>*>(memory);
    uint8_t* marks = reinterpret_cast<uint8_t*>(points + mesh->vertex_count);
    Surface<float> surface{points, mesh->faces, opposite};
#pragma omp parallel num_threads(launch->threads)
    for (int64_t index = 0; index < cameras->views; index++) {
        View view(*cameras, index);
        const int64_t first = index * height * width;
        Finder finder{view, surface, marks, fragments->triangle + first, fragments->depth + first};
#pragma omp for schedule(static)
        for (int64_t vertex = 0; vertex < mesh->vertex_count; vertex++) points[vertex] = view.point(*mesh, vertex);
        mark_silhouettes(surface, mesh->face_count, marks);
#pragma omp for schedule(dynamic, 8)
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int64_t pixel = first + int64_t(row) * width + column;
                float* shift = crossings->shift + 2 * pixel;
                int32_t* edge = crossings->edge + 2 * pixel;
                shift[0] = shift[1] = 0, edge[0] = edge[1] = NO_EDGE;
                if (column + 1 < width) finder.find(column, row, 1, 0, shift[0], edge[0]);
                if (row + 1 < height) finder.find(column, row, 0, 1, shift[1], edge[1]);
            }
            for (int column = 0; column < width; column++)
                blend(*picture, crossings->shift, first + int64_t(row) * width + column, 1, column > 0,
                      column + 1 < width, halfway);
        }
#pragma omp for schedule(static)
        for (int row = 0; row < height; row++)
            for (int column = 0; column < width; column++)
                blend(between, crossings->shift + 1, first + int64_t(row) * width + column, width, row > 0,
                      row + 1 < height, out);
    }
    return D3D_OK;
}
