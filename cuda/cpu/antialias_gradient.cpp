// Gradients of blended pictures: to the picture, and through the silhouettes to the vertices of their edges.

#include "antialias.h"
#include "groups.h"

using namespace d3d;

namespace {

// One pass of blending: between neighbours `stride` apart, along axis 0 (rows) or 1 (columns).
struct Pass {
    const D3dCameras& cameras;
    int axis, channels;
    const float *shift, *picture, *by_out;

    int64_t stride() const { return axis ? cameras.width : 1; }
    float shift_at(int64_t pixel) const { return shift[2 * pixel + axis]; }
    bool has_before(int column, int row) const { return (axis ? row : column) > 0; }
    bool has_after(int column, int row) const {
        return axis ? row + 1 < cameras.height : column + 1 < cameras.width;
    }

    // The gradient of one pixel of the picture that was blended.
    void to_picture(int64_t pixel, int column, int row, float* by_picture) const {
        float before = has_before(column, row) ? shift_at(pixel - stride()) : 0;
        float after = has_after(column, row) ? shift_at(pixel) : 0;
        float kept = 1 - std::max(before, 0.f) - std::max(-after, 0.f);
        float given_before = std::max(-before, 0.f), given_after = std::max(after, 0.f);
        const float* by = by_out + pixel * channels;
        for (int c = 0; c < channels; c++) by_picture[pixel * channels + c] = kept * by[c];
        if (given_before > 0)
            for (int c = 0; c < channels; c++)
                by_picture[pixel * channels + c] += given_before * by[c - stride() * channels];
        if (given_after > 0)
            for (int c = 0; c < channels; c++)
                by_picture[pixel * channels + c] += given_after * by[c + stride() * channels];
    }

    // The gradient of the shift between this pixel and the next: what the one that receives gains by it.
    float to_shift(int64_t pixel) const {
        int64_t next = pixel + stride(), receiver = shift_at(pixel) > 0 ? next : pixel;
        float by_shift = 0;
        for (int c = 0; c < channels; c++)
            by_shift += by_out[receiver * channels + c] * (picture[pixel * channels + c] - picture[next * channels + c]);
        return by_shift;
    }
};

struct Work {
    int64_t rows, per_row;  // at most so many crossings in a row of pixels
    int64_t* first;         // [rows + 1]: crossings before each row
    float* by_middle;       // gradient of the picture between the passes
    float* by_end;          // [crossings, 2, 3]
    int32_t* vertex;        // [crossings, 2]

    Work(const D3dCameras& cameras, int channels, void* memory)
        : rows(cameras.views * cameras.height), per_row(2 * int64_t(cameras.width)),
          first(static_cast<int64_t*>(memory)), by_middle(reinterpret_cast<float*>(first + rows + 1)),
          by_end(by_middle + rows * cameras.width * channels),
          vertex(reinterpret_cast<int32_t*>(by_end + 6 * rows * per_row)) {}
    void* after() const { return vertex + 2 * rows * per_row; }
    int64_t bytes() const { return reinterpret_cast<int64_t>(after()) - reinterpret_cast<int64_t>(first); }
};

// The crossings of one row of pixels, in order.
template <class Visit>
void for_each_crossing(const D3dCameras& cameras, const D3dCrossings& crossings, int64_t row, Visit visit) {
    for (int64_t i = 2 * row * cameras.width; i < 2 * (row + 1) * cameras.width; i++)
        if (crossings.edge[i] != NO_EDGE) visit(i / 2, int(i % 2), crossings.edge[i]);
}

void count_crossings(const D3dCameras& cameras, const D3dCrossings& crossings, const D3dLaunch& launch, Work& work) {
    work.first[0] = 0;
#pragma omp parallel for num_threads(launch.threads) schedule(static)
    for (int64_t row = 0; row < work.rows; row++) {
        int64_t count = 0;
        for_each_crossing(cameras, crossings, row, [&](int64_t, int, int32_t) { count++; });
        work.first[row + 1] = count;
    }
    for (int64_t row = 0; row < work.rows; row++) work.first[row + 1] += work.first[row];
}

// Both ends of one crossed edge.
void end_gradients(const View& view, const D3dMesh& mesh, int64_t pixel_of_view, int axis, int32_t code, float by_shift,
                   int32_t* vertex, float* by_end) {
    int32_t corner = code >> 1, first = corner - corner % 3;
    bool second = code & 1;
    Vector<float> corners[3];
    int32_t face[3] = {0, 1, 2}, across[3] = {-1, -1, -1};
    for (int i = 0; i < 3; i++) corners[i] = view.point(mesh, mesh.faces[first + i]);
    Edge<float> edge(Surface<float>{corners, face, across}, corner % 3);
    int column = int(pixel_of_view % view.width), row = int(pixel_of_view / view.width);
    Vector<float> n = view.ray(column, row), m = view.ray(column + (axis == 0), row + (axis == 1));
    if (second) std::swap(n, m);
    EdgeGradient<float> by = crossing_gradient(edge, n, m, second ? -by_shift : by_shift);
    const Vector<float>* ends[2] = {&by.from, &by.to};
    for (int i = 0; i < 2; i++) {
        vertex[i] = mesh.faces[first + (corner + 1 + i) % 3];
        float in_camera[3] = {ends[i]->x, ends[i]->y, ends[i]->z}, in_world[3] = {};
        add_in_world(in_camera, view.camera, in_world);
        std::copy_n(in_world, 3, by_end + 3 * i);
    }
}

Groups ends_by_vertex(const D3dMesh& mesh, int64_t ends, const D3dLaunch& launch, void* memory) {
    return Groups(ends, mesh.vertex_count, launch, memory);
}

}  // namespace

int64_t d3d_antialias_gradient_bytes(const D3dCameras* cameras, const D3dMesh* mesh, int32_t channels,
                                     const D3dLaunch* launch) {
    Work work(*cameras, channels, nullptr);
    return work.bytes() + ends_by_vertex(*mesh, 2 * work.rows * work.per_row, *launch, nullptr).bytes();
}

int32_t d3d_antialias_gradient(const D3dCameras* cameras, const D3dMesh* mesh, const D3dPicture* picture,
                               const D3dCrossings* crossings, const float* halfway, const float* by_out,
                               float* by_picture, float* by_vertices, void* memory, const D3dLaunch* launch) {
    const int width = cameras->width;
    Work work(*cameras, picture->channels, memory);
    Pass along_columns{*cameras, 1, picture->channels, crossings->shift, halfway, by_out};
    Pass along_rows{*cameras, 0, picture->channels, crossings->shift, picture->values, work.by_middle};
    const Pass* passes[2] = {&along_rows, &along_columns};
    count_crossings(*cameras, *crossings, *launch, work);
#pragma omp parallel num_threads(launch->threads)
    {
        for (int axis = 1; axis >= 0; axis--) {
#pragma omp for schedule(static)
            for (int64_t row = 0; row < work.rows; row++)
                for (int column = 0; column < width; column++)
                    passes[axis]->to_picture(row * width + column, column, int(row % cameras->height),
                                             axis ? work.by_middle : by_picture);
        }
#pragma omp for schedule(dynamic, 16)
        for (int64_t row = 0; row < work.rows; row++) {
            View view(*cameras, row / cameras->height);
            int64_t at = 2 * work.first[row], first_of_view = row / cameras->height * cameras->height * int64_t(width);
            for_each_crossing(*cameras, *crossings, row, [&](int64_t pixel, int axis, int32_t code) {
                end_gradients(view, *mesh, pixel - first_of_view, axis, code, passes[axis]->to_shift(pixel),
                              work.vertex + at, work.by_end + 3 * at);
                at += 2;
            });
        }
    }
    Groups ends = ends_by_vertex(*mesh, 2 * work.first[work.rows], *launch, work.after());
    ends.sort([&](int64_t end) { return work.vertex[end]; });
    add_corners(ends, 3, work.by_end, by_vertices);
    return D3D_OK;
}
