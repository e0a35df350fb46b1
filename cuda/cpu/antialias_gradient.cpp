// Gradients of blended pictures: to the picture, and through the silhouettes to the vertices of their edges.

#include "antialias.h"
#include "groups.h"

using namespace d3d;

namespace {

struct Work {
    float* by_shift;   // [slots of all blocks]
    float* by_moved;   // [slots of all blocks, channels]: the receiver's gradient times its share
    int64_t* place;    // [blocks + 1]: crossings before each block
    float* by_end;     // [crossings, 2, 3]
    int32_t* vertex;   // [crossings, 2]
    Groups ends;

    Work(const Blocks& blocks, const D3dMesh& mesh, int channels, int64_t crossings, const D3dLaunch& launch,
         void* memory)
        : by_shift(static_cast<float*>(memory)), by_moved(by_shift + blocks.count() * blocks.slots),
          place(reinterpret_cast<int64_t*>(by_moved + blocks.count() * blocks.slots * channels)),
          by_end(reinterpret_cast<float*>(place + blocks.count() + 1)),
          vertex(reinterpret_cast<int32_t*>(by_end + 6 * crossings)),
          ends(2 * crossings, mesh.vertex_count, launch, vertex + 2 * crossings) {}
    int64_t bytes() const { return reinterpret_cast<int64_t>(ends.after()) - reinterpret_cast<int64_t>(by_shift); }
};

// Takes the gradient of one view's blended picture back along one axis, in place.
void unblend(const Blocks& blocks, const D3dCrossings& crossings, int64_t view, int axis, int channels, float* by,
             const Work& work) {
    by += blocks.first_pixel(view) * channels;
    blocks.for_each(crossings, view, axis, [&](int64_t slot, const Pair& pair) {
        float along = 0;
        for (int c = 0; c < channels; c++) {
            float by_receiver = by[pair.receiver * channels + c];
            along += by_receiver * crossings.difference[slot * channels + c];
            work.by_moved[slot * channels + c] = pair.amount * by_receiver;
        }
        work.by_shift[slot] = along;
    });
    blocks.for_each(crossings, view, axis, [&](int64_t slot, const Pair& pair) {
        for (int c = 0; c < channels; c++) {
            by[pair.receiver * channels + c] -= work.by_moved[slot * channels + c];
            by[pair.giver * channels + c] += work.by_moved[slot * channels + c];
        }
    });
}

int64_t place_blocks(const Blocks& blocks, const D3dCrossings& crossings, int64_t* place) {
    place[0] = 0;
    for (int64_t block = 0; block < blocks.count(); block++) place[block + 1] = place[block] + crossings.count[block];
    return place[blocks.count()];
}

}  // namespace

int64_t d3d_antialias_gradient_bytes(const D3dCameras* cameras, const D3dMesh* mesh, int32_t channels,
                                     const D3dLaunch* launch) {
    Blocks blocks(*cameras);
    return Work(blocks, *mesh, channels, blocks.count() * blocks.slots, *launch, nullptr).bytes();
}

int32_t d3d_antialias_gradient(const D3dCameras* cameras, const D3dMesh* mesh, int32_t channels,
                               const D3dCrossings* crossings, const float* by_out, float* by_picture,
                               float* by_vertices, void* memory, const D3dLaunch* launch) {
    const Blocks blocks(*cameras);
    int64_t* place = Work(blocks, *mesh, channels, 0, *launch, memory).place;
    Work work(blocks, *mesh, channels, place_blocks(blocks, *crossings, place), *launch, memory);
#pragma omp parallel num_threads(launch->threads)
    {
#pragma omp for schedule(static)
        for (int64_t row = 0; row < cameras->views * cameras->height; row++)
            std::copy_n(by_out + row * cameras->width * channels, cameras->width * channels,
                        by_picture + row * cameras->width * channels);
#pragma omp for schedule(dynamic, 1)
        for (int64_t view = 0; view < cameras->views; view++)
            for (int axis = 1; axis >= 0; axis--) unblend(blocks, *crossings, view, axis, channels, by_picture, work);
#pragma omp for schedule(dynamic, 1)
        for (int64_t block = 0; block < blocks.count(); block++) {
            View view(*cameras, blocks.view(block));
            for (int32_t i = 0; i < crossings->count[block]; i++) {
                int64_t slot = block * blocks.slots + i, at = 2 * (work.place[block] + i);
                Ends ends = end_gradients(view, *mesh, crossings->pixel[slot], crossings->edge[slot],
                                          work.by_shift[slot]);
                std::copy_n(ends.vertex, 2, work.vertex + at);
                std::copy_n(ends.by[0], 6, work.by_end + 3 * at);
            }
        }
    }
    work.ends.sort([&](int64_t end) { return work.vertex[end]; });
    add_corners(work.ends, 3, work.by_end, by_vertices);
    return D3D_OK;
}
