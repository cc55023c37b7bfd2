#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && defined(__AVX512BW__)
#define GATED_VECTOR_BYTES 64
#define GATED_TILE_ROWS 12  // 24 of 32 registers add up, 3 load
#include "layer.h"

const GatedKernels* gated_kernels_avx512() { return &KERNELS; }
#else
#include "isa.h"

const GatedKernels* gated_kernels_avx512() { return nullptr; }
#endif
