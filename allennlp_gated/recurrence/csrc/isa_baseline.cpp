// What every processor of the architecture has: SSE2 on x86-64, NEON on aarch64.
#define GATED_VECTOR_BYTES 16
#if defined(__aarch64__)
#define GATED_TILE_ROWS 12  // of 32 registers
#else
#define GATED_TILE_ROWS 6  // of 16 registers
#endif
#include "layer.h"

const GatedKernels* gated_kernels_baseline() { return &KERNELS; }
