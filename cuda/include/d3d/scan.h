// Running sums and products along a ray, and their gradients. The definition is scan_reference.
#pragma once

#include "lane.h"

namespace d3d {

struct Sum {
    template <class F>
    D3D_INLINE static F start() { return F{}; }
    template <class F>
    D3D_INLINE static F join(F all, F next) { return all + next; }
    // The derivative by an entry with the product `before` in front of it; `after` is what later results pass back.
    template <class F>
    D3D_INLINE static F gradient(F, F after) { return after; }
    // `after` as it goes on in front of an entry.
    template <class F>
    D3D_INLINE static F carry(F, F after) { return after; }
};

struct Product {
    template <class F>
    D3D_INLINE static F start() { return F{} + 1; }
    template <class F>
    D3D_INLINE static F join(F all, F next) { return all * next; }
    template <class F>
    D3D_INLINE static F gradient(F before, F after) { return before * after; }
    template <class F>
    D3D_INLINE static F carry(F value, F after) { return value * after; }
};

}  // namespace d3d
