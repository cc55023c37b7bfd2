// The same kernels, compiled once for each instruction set.
#ifndef GATED_ISA_H
#define GATED_ISA_H

#include "gated.h"

typedef struct {
    int64_t (*scratch)(const GatedLayer*, int64_t backward);
    void (*forward)(const GatedLayer*);
    void (*backward)(const GatedLayer*);
} GatedKernels;

// Null where the compiler could not make them for this architecture.
const GatedKernels* gated_kernels_baseline();
const GatedKernels* gated_kernels_avx2();
const GatedKernels* gated_kernels_avx512();

#endif
