// The blocks of a launch, one after the other, and the meetings of their threads.

#include "emulator.h"

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fibre.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

#if defined(__x86_64__)
asm(".text\n"
    ".hidden d3d_switch_stack\n"
    ".globl d3d_switch_stack\n"
    ".type d3d_switch_stack, @function\n"
    "d3d_switch_stack:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size d3d_switch_stack, .-d3d_switch_stack\n");
#endif

namespace d3d::emulator {

namespace {

constexpr int WARP = 32, MOST_THREADS = 1024;
constexpr size_t MOST_SHARED_BYTES = 227 << 10;

enum class State { ready, at_barrier, in_exchange, done };

struct Thread {
    Fibre fibre;
    State state;
    Site site;
    bool vote;             // at a barrier
    unsigned mask;         // in an exchange
    uint64_t given;        // to an exchange
    uint64_t taken[WARP];  // from it
};

std::mutex one_launch_at_a_time;
std::vector<std::unique_ptr<Stack>> stacks;
std::vector<Thread> threads;
int thread_count, running, barrier_votes;
const std::function<void()>* body;
std::string complaint;
std::vector<double> dynamic_memory;

std::vector<std::pair<void*, size_t>>& shared_memories() {
    static std::vector<std::pair<void*, size_t>> all;
    return all;
}

void wait_as(State state) {
    Thread& thread = threads[running];
    thread.state = state;
    thread.fibre.leave();
}

void run_to_the_end() {
    (*body)();
    wait_as(State::done);
}

void complain(int thread, const std::string& sentence, Site site) {
    if (!complaint.empty()) return;
    complaint = "thread " + std::to_string(thread) + " of block " + std::to_string(blockIdx.x) + ", " +
                std::to_string(blockIdx.y) + ", " + std::to_string(blockIdx.z) + " " + sentence + " at " + site.file +
                ":" + std::to_string(site.line);
}

void enter(int thread) {
    running = thread;
    unsigned index = unsigned(thread);
    threadIdx = {index % blockDim.x, index / blockDim.x % blockDim.y, index / blockDim.x / blockDim.y};
    threads[thread].fibre.enter();
}

// Runs a warp's threads until each of them waits for something outside the warp, or is done.
void run_warp(int first, bool backwards) {
    int count = std::min(WARP, thread_count - first);
    for (bool ran = true; ran && complaint.empty();) {
        ran = false;
        for (int i = 0; i < count; i++) {
            int thread = first + (backwards ? count - 1 - i : i);
            if (threads[thread].state != State::ready) continue;
            enter(thread);
            ran = true;
            if (!complaint.empty()) return;
        }
    }
}

// Opens the barrier if all threads are at it; complains if some can never come.
void open_barrier() {
    barrier_votes = 0;
    const Thread& first = threads[0];
    for (int i = 0; i < thread_count; i++) {
        const Thread& thread = threads[i];
        if (thread.state == State::in_exchange)
            return complain(i, "waits for lanes that never come", thread.site);
        if ((thread.state == State::done) != (first.state == State::done)) {
            int waiting = thread.state == State::done ? 0 : i;
            return complain(waiting, "waits at a barrier for threads that have ended", threads[waiting].site);
        }
        if (thread.state == State::at_barrier && !(thread.site == first.site))
            return complain(i, "waits at a barrier and thread 0 at another one", thread.site);
        barrier_votes += thread.vote;
    }
    for (int i = 0; i < thread_count; i++) threads[i].state = State::ready;
}

bool all_done() {
    for (int i = 0; i < thread_count; i++)
        if (threads[i].state != State::done) return false;
    return true;
}

void poison() {
    for (auto [memory, bytes] : shared_memories()) std::memset(memory, 0xff, bytes);
    std::memset(dynamic_memory.data(), 0xff, dynamic_memory.size() * sizeof(double));
}

void run_block(bool backwards) {
    poison();
    for (int i = 0; i < thread_count; i++) {
        threads[i].state = State::ready;
        threads[i].vote = false;
        threads[i].fibre.start(*stacks[i], run_to_the_end);
    }
    int warps = (thread_count + WARP - 1) / WARP;
    while (true) {
        for (int i = 0; i < warps && complaint.empty(); i++) run_warp((backwards ? warps - 1 - i : i) * WARP, backwards);
        if (!complaint.empty() || all_done()) return;
        open_barrier();
        if (!complaint.empty()) return;
    }
}

std::string why_no_device_takes(dim3 grid, dim3 block, size_t shared_bytes) {
    size_t count = size_t(block.x) * block.y * block.z;
    if (count == 0 || count > MOST_THREADS || block.z > 64)
        return "a block has 1 to " + std::to_string(MOST_THREADS) + " threads, and not " + std::to_string(count);
    if (grid.x == 0 || grid.x > INT32_MAX || grid.y == 0 || grid.y > 65535 || grid.z == 0 || grid.z > 65535)
        return "a grid has 1 to 2^31 - 1, 65535 and 65535 blocks, and not " + std::to_string(grid.x) + ", " +
               std::to_string(grid.y) + ", " + std::to_string(grid.z);
    if (shared_bytes > MOST_SHARED_BYTES)
        return "a block has at most " + std::to_string(MOST_SHARED_BYTES) + " bytes of dynamic shared memory, and not " +
               std::to_string(shared_bytes);
    return "";
}

void run_grid(dim3 grid, dim3 block) {
    gridDim = grid, blockDim = block;
    thread_count = int(block.x * block.y * block.z);
    while (int(stacks.size()) < thread_count) stacks.push_back(std::make_unique<Stack>());
    if (int(threads.size()) < thread_count) threads = std::vector<Thread>(thread_count);
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x && complaint.empty(); x++) {
                blockIdx = {x, y, z};
                run_block((x + y + z) % 2 == 1);
            }
}

}  // namespace

bool run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& thread) {
    std::lock_guard<std::mutex> alone(one_launch_at_a_time);
    complaint = why_no_device_takes(grid, block, shared_bytes);
    if (complaint.empty()) {
        body = &thread;
        dynamic_memory.resize((shared_bytes + sizeof(double) - 1) / sizeof(double) + 2);
        run_grid(grid, block);
    }
    if (!complaint.empty()) std::fprintf(stderr, "emulated CUDA: %s\n", complaint.c_str());
    return complaint.empty();
}

void* dynamic_shared() {
    auto address = reinterpret_cast<uintptr_t>(dynamic_memory.data());
    return reinterpret_cast<void*>((address + 15) / 16 * 16);
}

SharedMemory::SharedMemory(void* memory, size_t bytes) {
    std::memset(memory, 0xff, bytes);
    shared_memories().emplace_back(memory, bytes);
}

int lane() { return running % WARP; }

void forbid(const char* sentence, Site site) {
    complain(running, sentence, site);
    while (true) wait_as(State::in_exchange);
}

int barrier(bool vote, Site site) {
    threads[running].vote = vote;
    threads[running].site = site;
    wait_as(State::at_barrier);
    return barrier_votes;
}

const uint64_t* exchange(unsigned mask, uint64_t given, Site site) {
    Thread& self = threads[running];
    self.mask = mask, self.given = given, self.site = site;
    if (!(mask >> lane() & 1)) forbid("is not in the mask of its exchange", site);
    Thread* warp = &threads[running - lane()];
    int lanes = std::min(WARP, thread_count - (running - lane()));
    bool last = true;
    for (unsigned left = mask; left; left &= left - 1) {
        int other = __builtin_ctz(left);
        if (other >= lanes || warp[other].state == State::done) forbid("waits for a lane that has ended", site);
        if (&warp[other] == &self) continue;
        bool waits = warp[other].state == State::in_exchange;
        if (waits && warp[other].mask != mask) forbid("waits with another mask than lanes of its mask", site);
        if (waits && !(warp[other].site == site)) forbid("waits at another place than lanes of its mask", site);
        last &= waits;
    }
    if (!last) {
        wait_as(State::in_exchange);
        return self.taken;
    }
    for (unsigned left = mask; left; left &= left - 1) {
        Thread& taker = warp[__builtin_ctz(left)];
        for (int i = 0; i < lanes; i++) taker.taken[i] = warp[i].given;
        taker.state = State::ready;
    }
    return self.taken;
}

}  // namespace d3d::emulator
