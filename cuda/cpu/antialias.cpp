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
    const D3dCrossings& crossings;
    const View& view;
    const Surface<float>& surface;
    const uint8_t* marks;
    const int32_t* triangle;  // of the view
    const float* depth;

    // Between a pixel and the next along axis 0 (its row) or 1 (its column).
    void find(int column, int row, int axis, int64_t& slot) const {
        int32_t here = row * view.width + column, there = here + (axis ? view.width : 1);
        int32_t face = triangle[here], other = triangle[there];
        if (face == other) return;
        bool second = face < 0 || (other >= 0 && depth[there] < depth[here]);
        if (second) std::swap(face, other);
        if (other >= 0 && joined(surface, marks, face, other)) return;
        Vector<float> n = view.ray(column, row), m = view.ray(column + 1 - axis, row + axis);
        if (second) std::swap(n, m);
        Crossing<float> found = find_crossing(surface, face, n, m, axis == 0, view.fx, view.fy);
        if (found.corner == NO_EDGE) return;
        crossings.pixel[slot] = here;
        crossings.edge[slot] = 4 * found.corner + 2 * axis + second;
        crossings.shift[slot] = (second ? 1 - found.t : found.t) - 0.5f;
        slot++;
    }
};

void find_all(const D3dCameras& cameras, const Finder& finder, const Blocks& blocks, int64_t block) {
    int64_t slot = block * blocks.slots;
    for (int row = blocks.first_row(block); row < blocks.end_row(block); row++)
        for (int column = 0; column < cameras.width; column++) {
            if (column + 1 < cameras.width) finder.find(column, row, 0, slot);
            if (row + 1 < cameras.height) finder.find(column, row, 1, slot);
        }
    finder.crossings.count[block] = int32_t(slot - block * blocks.slots);
}

// Blends one view's picture in place, along one axis.
void blend(const Blocks& blocks, const D3dCrossings& crossings, int64_t view, int axis, int channels, float* picture) {
    picture += blocks.first_pixel(view) * channels;
    blocks.for_each(crossings, view, axis, [&](int64_t slot, const Pair& pair) {
        for (int c = 0; c < channels; c++)
            crossings.difference[slot * channels + c] =
                picture[pair.first * channels + c] - picture[pair.second * channels + c];
    });
    blocks.for_each(crossings, view, axis, [&](int64_t slot, const Pair& pair) {
        float share = crossings.shift[slot];  // positive if the second receives
        for (int c = 0; c < channels; c++)
            picture[pair.receiver * channels + c] += share * crossings.difference[slot * channels + c];
    });
}

}  // namespace

int32_t d3d_antialias_block_rows() { return BLOCK_ROWS; }

int64_t d3d_antialias_bytes(const D3dCameras*, const D3dMesh* mesh) {
    return mesh->vertex_count * int64_t(sizeof(Vector<float>)) + mesh->face_count;
}

int32_t d3d_antialias(const D3dCameras* cameras, const D3dMesh* mesh, const int32_t* opposite,
                      const D3dFragments* fragments, const D3dPicture* picture, const D3dCrossings* crossings,
                      float* out, void* memory, const D3dLaunch* launch) {
    const Blocks blocks(*cameras);
    Vector<float>* points = static_cast<Vector<float>*>(memory);
    uint8_t* marks = reinterpret_cast<uint8_t*>(points + mesh->vertex_count);
    Surface<float> surface{points, mesh->faces, opposite};
#pragma omp parallel num_threads(launch->threads)
    {
        for (int64_t index = 0; index < cameras->views; index++) {
            View view(*cameras, index);
            const int64_t first = blocks.first_pixel(index);
            Finder finder{*crossings, view, surface, marks, fragments->triangle + first, fragments->depth + first};
#pragma omp for schedule(static)
            for (int64_t vertex = 0; vertex < mesh->vertex_count; vertex++) points[vertex] = view.point(*mesh, vertex);
            mark_silhouettes(surface, mesh->face_count, marks);
#pragma omp for schedule(dynamic, 1)
            for (int64_t block = index * blocks.per_view; block < (index + 1) * blocks.per_view; block++) {
                find_all(*cameras, finder, blocks, block);
                int64_t row = first + blocks.first_row(block) * int64_t(cameras->width);
                int64_t pixels = int64_t(blocks.end_row(block) - blocks.first_row(block)) * cameras->width;
                std::copy_n(picture->values + row * picture->channels, pixels * picture->channels,
                            out + row * picture->channels);
            }
        }
#pragma omp for schedule(dynamic, 1)
        for (int64_t view = 0; view < cameras->views; view++)
            for (int axis = 0; axis < 2; axis++) blend(blocks, *crossings, view, axis, picture->channels, out);
    }
    return D3D_OK;
}
