// The interface's entry points: choice of the instruction set, and threads.

#include "gated.h"

#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "isa.h"
#include "parallel.h"

namespace {

// The entry point that GCC's runtime gives to `#pragma omp parallel`; LLVM's and Intel's have it
// too. Sharing the host's pool matters: its threads spin for a while after each region, and a second
// pool would compete with them for the same cores.
typedef void (*GompParallel)(void (*)(void*), void*, unsigned, unsigned);
std::atomic<GompParallel> openmp(nullptr);

struct Region {
    GatedLane run;
    void* context;
    int64_t lanes;
    std::atomic<int64_t> next;
};

// Lanes are handed out, so the result does not depend on how many threads the pool really gives.
void take_lanes(void* argument) {
    Region* region = static_cast<Region*>(argument);
    for (;;) {
        const int64_t lane = region->next.fetch_add(1);
        if (lane >= region->lanes) return;
        region->run(region->context, lane);
    }
}

const GatedKernels* kernels(int64_t isa) {
    switch (isa) {
        case GATED_BASELINE:
            return gated_kernels_baseline();
        case GATED_AVX2:
            return gated_kernels_avx2();
        case GATED_AVX512:
            return gated_kernels_avx512();
        default:
            return nullptr;
    }
}

}  // namespace

void gated_parallel(GatedLane run, void* context, int64_t lanes, bool own_threads) {
    Region region{run, context, lanes, {0}};
    if (lanes == 1) {
        take_lanes(&region);
        return;
    }
    GompParallel pool = openmp.load();
    if (pool && !own_threads) {
        pool(take_lanes, &region, static_cast<unsigned>(lanes), 0);
        return;
    }
    std::vector<std::thread> threads;
    try {
        for (int64_t i = 1; i < lanes; ++i) threads.emplace_back(take_lanes, &region);
    } catch (const std::system_error&) {
        // No more threads to be had: the ones that there are do the work.
    }
    take_lanes(&region);
    for (std::thread& thread : threads) thread.join();
}

extern "C" {

int64_t gated_abi(void) { return GATED_ABI; }

int64_t gated_has(int64_t isa) { return kernels(isa) != nullptr; }

int64_t gated_supports(int64_t isa) {
    if (!gated_has(isa)) return 0;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (isa == GATED_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == GATED_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#endif
    return isa == GATED_BASELINE;
}

void gated_set_openmp(void* gomp_parallel) {
    openmp.store(reinterpret_cast<GompParallel>(gomp_parallel));
}

int64_t gated_scratch(const GatedLayer* layer, int64_t backward) {
    return kernels(layer->isa)->scratch(layer, backward);
}

void gated_forward(const GatedLayer* layer) { kernels(layer->isa)->forward(layer); }

void gated_backward(const GatedLayer* layer) { kernels(layer->isa)->backward(layer); }

}  // extern "C"
