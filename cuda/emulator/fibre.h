// One thread of control among many on one processor: started, stopped in the middle and taken up again by hand.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <new>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace d3d::emulator {

constexpr size_t STACK_BYTES = 1 << 17;

// Memory for a fibre's calls, above a page that may not be touched, so that an overflow stops the program.
class Stack {
public:
    Stack() : guard_bytes(size_t(sysconf(_SC_PAGESIZE))) {
        memory = mmap(nullptr, guard_bytes + STACK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        mprotect(memory, guard_bytes, PROT_NONE);
    }
    ~Stack() { munmap(memory, guard_bytes + STACK_BYTES); }
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;

    char* bottom() const { return static_cast<char*>(memory) + guard_bytes; }

private:
    size_t guard_bytes;
    void* memory;
};

#if defined(__x86_64__)

// Saves the registers that a call must keep, and the stack they are on; goes on where `to` was saved.
extern "C" void d3d_switch_stack(void** from, void* to);

class Fibre {
public:
    // `entry` must never return.
    void start(const Stack& stack, void (*entry)()) {
        auto top = reinterpret_cast<void**>(stack.bottom() + STACK_BYTES - 24);  // a call leaves it 8 past 16
        top[-1] = reinterpret_cast<void*>(entry);  // where the first switch goes
        saved = top - 7;                           // six registers below it, whose values do not matter
    }
    void enter() { d3d_switch_stack(&outside, saved); }
    void leave() { d3d_switch_stack(&saved, outside); }

private:
    void *saved = nullptr, *outside = nullptr;
};

#else

class Fibre {
public:
    void start(const Stack& stack, void (*entry)()) {
        getcontext(&saved);
        saved.uc_stack.ss_sp = stack.bottom();
        saved.uc_stack.ss_size = STACK_BYTES;
        saved.uc_link = nullptr;
        makecontext(&saved, entry, 0);
    }
    void enter() { swapcontext(&outside, &saved); }
    void leave() { swapcontext(&saved, &outside); }

private:
    ucontext_t saved, outside;
};

#endif

}  // namespace d3d::emulator
