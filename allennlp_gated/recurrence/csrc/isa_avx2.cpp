#if defined(__AVX2__) && defined(__FMA__)
#define GATED_VECTOR_BYTES 32
#define GATED_TILE_ROWS 6  // 12 of 16 registers add up, 3 load
#include "layer.h"

const GatedKernels* gated_kernels_avx2() { return &KERNELS; }
#else
#include "isa.h"

const GatedKernels* gated_kernels_avx2() { return nullptr; }
#endif
