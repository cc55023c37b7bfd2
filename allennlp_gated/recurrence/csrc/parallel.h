// Runs lanes of independent work on several threads. No lane waits for another.
#ifndef GATED_PARALLEL_H
#define GATED_PARALLEL_H

#include <stdint.h>

typedef void (*GatedLane)(void* context, int64_t lane);

// Calls `run(context, lane)` once for each lane, and returns when all are done.
void gated_parallel(GatedLane run, void* context, int64_t lanes, bool own_threads);

#endif
