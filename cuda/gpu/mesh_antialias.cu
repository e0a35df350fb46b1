// Pictures blended across silhouettes. A thread for each pixel looks right and down; the crossings found, few beside
// the pixels, are collected in the slots of their block of rows, and a block of threads then takes each block of rows.

#include "d3d/silhouette.h"
#include "primitives.h"

using namespace d3d;

namespace {

constexpr int THREADS = 256, BLOCK_ROWS = 32;

struct Blocks {
    D3dCameras cameras;
    int64_t per_view, slots;

    explicit Blocks(const D3dCameras& cameras)
        : cameras(cameras), per_view((cameras.height + BLOCK_ROWS - 1) / BLOCK_ROWS),
          slots(2 * int64_t(BLOCK_ROWS) * cameras.width) {}
    D3D_INLINE int64_t count() const { return cameras.views * per_view; }
    D3D_INLINE int64_t pixels_of_view() const { return int64_t(cameras.height) * cameras.width; }
    Grid one_each() const { return {unsigned(count()), THREADS}; }

    // Calls visit(slot, pair) for the crossings of one axis in this thread block's rows.
    template <class Visit>
    __device__ void for_each(const D3dCrossings& crossings, int axis, Visit visit) const {
        const int64_t block = blockIdx.x, end = block * slots + crossings.count[block];
        for (int64_t slot = block * slots + threadIdx.x; slot < end; slot += blockDim.x)
            if ((crossings.edge[slot] >> 1 & 1) == axis)
                visit(slot, Pair(crossings.pixel[slot], crossings.edge[slot], crossings.shift[slot], cameras.width));
    }
    __device__ int64_t view() const { return blockIdx.x / per_view; }
};

struct Views {
    Arena arena;
    Vector<float>* points;  // [views, vertices]
    uint8_t* silhouettes;   // [views, faces]

    Views(const D3dCameras& cameras, const D3dMesh& mesh, void* memory)
        : arena(memory), points(arena.take<Vector<float>>(cameras.views * mesh.vertex_count)),
          silhouettes(arena.take<uint8_t>(cameras.views * mesh.face_count)) {}
};

__device__ Surface<float> surface_of(const D3dMesh& mesh, const int32_t* opposite, const Vector<float>* points,
                                     int64_t view) {
    return {points + view * mesh.vertex_count, mesh.faces, opposite, mesh.vertex_count, 3 * mesh.face_count};
}

__global__ void place_points(D3dCameras cameras, D3dMesh mesh, Vector<float>* points) {
    int64_t i = thread_of_grid();
    if (i < cameras.views * mesh.vertex_count)
        points[i] = View(cameras, i / mesh.vertex_count).point(mesh, i % mesh.vertex_count);
}

__global__ void mark_silhouettes(D3dCameras cameras, D3dMesh mesh, const int32_t* opposite, const Vector<float>* points,
                                 uint8_t* silhouettes) {
    int64_t i = thread_of_grid();
    if (i < cameras.views * mesh.face_count)
        silhouettes[i] =
            silhouettes_of(surface_of(mesh, opposite, points, i / mesh.face_count), i % mesh.face_count);
}

__global__ void find_crossings(Blocks blocks, D3dMesh mesh, const int32_t* opposite, const Vector<float>* points,
                               const uint8_t* silhouettes, D3dFragments fragments, D3dCrossings crossings) {
    const int64_t i = thread_of_grid(), pixels = blocks.pixels_of_view();
    if (i >= blocks.cameras.views * pixels) return;
    const int64_t index = i / pixels;
    const int pixel = int(i % pixels), column = pixel % blocks.cameras.width, row = pixel / blocks.cameras.width;
    View view(blocks.cameras, index);
    Surface<float> surface = surface_of(mesh, opposite, points, index);
    Seen seen{fragments.triangle + index * pixels, fragments.depth + index * pixels};
    for (int axis = 0; axis < 2; axis++) {
        if ((axis ? row + 1 : column + 1) >= (axis ? blocks.cameras.height : blocks.cameras.width)) continue;
        Found found =
            find_between(view, surface, silhouettes + index * mesh.face_count, seen, column, row, axis);
        if (found.edge == NO_EDGE) continue;
        int64_t block = index * blocks.per_view + row / BLOCK_ROWS;
        int64_t slot = block * blocks.slots + atomicAdd(crossings.count + block, 1);
        crossings.pixel[slot] = pixel;
        crossings.edge[slot] = found.edge;
        crossings.shift[slot] = found.shift;
    }
}

__global__ void take_differences(Blocks blocks, D3dCrossings crossings, int axis, int channels, const float* picture) {
    const float* mine = picture + blocks.view() * blocks.pixels_of_view() * channels;
    blocks.for_each(crossings, axis, [&](int64_t slot, const Pair& pair) {
        for (int c = 0; c < channels; c++)
            crossings.difference[slot * channels + c] = mine[pair.first * channels + c] - mine[pair.second * channels + c];
    });
}

__global__ void blend(Blocks blocks, D3dCrossings crossings, int axis, int channels, float* picture) {
    float* mine = picture + blocks.view() * blocks.pixels_of_view() * channels;
    blocks.for_each(crossings, axis, [&](int64_t slot, const Pair& pair) {
        float share = crossings.shift[slot];  // positive if the second receives
        for (int c = 0; c < channels; c++)
            atomicAdd(mine + pair.receiver * channels + c, share * crossings.difference[slot * channels + c]);
    });
}

__global__ void weigh_receivers(Blocks blocks, D3dCrossings crossings, int axis, int channels, const float* by,
                                float* by_shift, float* by_moved) {
    const float* mine = by + blocks.view() * blocks.pixels_of_view() * channels;
    blocks.for_each(crossings, axis, [&](int64_t slot, const Pair& pair) {
        float along = 0;
        for (int c = 0; c < channels; c++) {
            float by_receiver = mine[pair.receiver * channels + c];
            along += by_receiver * crossings.difference[slot * channels + c];
            by_moved[slot * channels + c] = pair.amount * by_receiver;
        }
        by_shift[slot] = along;
    });
}

__global__ void unblend(Blocks blocks, D3dCrossings crossings, int axis, int channels, const float* by_moved,
                        float* by) {
    float* mine = by + blocks.view() * blocks.pixels_of_view() * channels;
    blocks.for_each(crossings, axis, [&](int64_t slot, const Pair& pair) {
        for (int c = 0; c < channels; c++) {
            atomicAdd(mine + pair.receiver * channels + c, -by_moved[slot * channels + c]);
            atomicAdd(mine + pair.giver * channels + c, by_moved[slot * channels + c]);
        }
    });
}

__global__ void move_ends(Blocks blocks, D3dMesh mesh, D3dCrossings crossings, const float* by_shift,
                          float* by_vertices) {
    View view(blocks.cameras, blocks.view());
    for (int axis = 0; axis < 2; axis++)
        blocks.for_each(crossings, axis, [&](int64_t slot, const Pair&) {
            Ends ends = end_gradients(view, mesh, crossings.pixel[slot], crossings.edge[slot], by_shift[slot]);
            for (int i = 0; i < 6; i++)
                atomicAdd(by_vertices + 3 * int64_t(ends.vertex[i / 3]) + i % 3, ends.by[i / 3][i % 3]);
        });
}

struct GradientWork {
    Arena arena;
    float *by_shift, *by_moved;  // [slots of all blocks], and for each channel

    GradientWork(const Blocks& blocks, int channels, void* memory)
        : arena(memory), by_shift(arena.take<float>(blocks.count() * blocks.slots)),
          by_moved(arena.take<float>(blocks.count() * blocks.slots * channels)) {}
};

}  // namespace

int32_t d3d_antialias_block_rows() { return BLOCK_ROWS; }

int64_t d3d_antialias_bytes(const D3dCameras* cameras, const D3dMesh* mesh) {
    return Views(*cameras, *mesh, nullptr).arena.bytes();
}

int32_t d3d_antialias(const D3dCameras* cameras, const D3dMesh* mesh, const int32_t* opposite,
                      const D3dFragments* fragments, const D3dPicture* picture, const D3dCrossings* crossings,
                      float* out, void* memory, const D3dLaunch* launch) {
    Stream stream(*launch);
    const Blocks blocks(*cameras);
    const int64_t pixels = cameras->views * blocks.pixels_of_view();
    const int channels = picture->channels;
    Views views(*cameras, *mesh, memory);
    stream.zero(crossings->count, blocks.count() * int64_t(sizeof(int32_t)));
    stream.copy(out, picture->values, pixels * channels * int64_t(sizeof(float)));
    stream.run(place_points, Grid::over(cameras->views * mesh->vertex_count, THREADS), *cameras, *mesh, views.points);
    stream.run(mark_silhouettes, Grid::over(cameras->views * mesh->face_count, THREADS), *cameras, *mesh, opposite,
               views.points, views.silhouettes);
    stream.run(find_crossings, Grid::over(pixels, THREADS), blocks, *mesh, opposite, views.points, views.silhouettes,
               *fragments, *crossings);
    for (int axis = 0; axis < 2; axis++) {
        stream.run(take_differences, blocks.one_each(), blocks, *crossings, axis, channels, out);
        stream.run(blend, blocks.one_each(), blocks, *crossings, axis, channels, out);
    }
    return stream.status();
}

int64_t d3d_antialias_gradient_bytes(const D3dCameras* cameras, const D3dMesh*, int32_t channels, const D3dLaunch*) {
    return GradientWork(Blocks(*cameras), channels, nullptr).arena.bytes();
}

int32_t d3d_antialias_gradient(const D3dCameras* cameras, const D3dMesh* mesh, int32_t channels,
                               const D3dCrossings* crossings, const float* by_out, float* by_picture,
                               float* by_vertices, void* memory, const D3dLaunch* launch) {
    Stream stream(*launch);
    const Blocks blocks(*cameras);
    GradientWork work(blocks, channels, memory);
    stream.copy(by_picture, by_out, cameras->views * blocks.pixels_of_view() * channels * int64_t(sizeof(float)));
    stream.zero(by_vertices, 3 * mesh->vertex_count * int64_t(sizeof(float)));
    for (int axis = 1; axis >= 0; axis--) {
        stream.run(weigh_receivers, blocks.one_each(), blocks, *crossings, axis, channels, by_picture, work.by_shift,
                   work.by_moved);
        stream.run(unblend, blocks.one_each(), blocks, *crossings, axis, channels, work.by_moved, by_picture);
    }
    stream.run(move_ends, blocks.one_each(), blocks, *mesh, *crossings, work.by_shift, by_vertices);
    return stream.status();
}
