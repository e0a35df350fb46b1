// Pictures blended across silhouettes, along rows and then along columns.

#include "antialias.h"

using namespace d3d;

namespace {

struct Finder {
    const D3dCrossings& crossings;
    const View& view;
    const Surface<float>& surface;
    const uint8_t* silhouettes;
    Seen seen;

    void find(int column, int row, int axis, int64_t& slot) const {
        Found found = find_between(view, surface, silhouettes, seen, column, row, axis);
        if (found.edge == NO_EDGE) return;
        crossings.pixel[slot] = row * view.width + column;
        crossings.edge[slot] = found.edge;
        crossings.shift[slot] = found.shift;
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
    uint8_t* silhouettes = reinterpret_cast<uint8_t*>(points + mesh->vertex_count);
    Surface<float> surface{points, mesh->faces, opposite, mesh->vertex_count, 3 * mesh->face_count};
#pragma omp parallel num_threads(launch->threads)
    {
        for (int64_t index = 0; index < cameras->views; index++) {
            View view(*cameras, index);
            const int64_t first = blocks.first_pixel(index);
            Finder finder{
                *crossings, view, surface, silhouettes, {fragments->triangle + first, fragments->depth + first}};
#pragma omp for schedule(static)
            for (int64_t vertex = 0; vertex < mesh->vertex_count; vertex++) points[vertex] = view.point(*mesh, vertex);
#pragma omp for schedule(static)
            for (int64_t face = 0; face < mesh->face_count; face++) silhouettes[face] = silhouettes_of(surface, face);
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
