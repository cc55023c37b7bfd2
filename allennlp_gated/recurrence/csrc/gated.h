// The plain C interface between Python and the kernels: raw pointers and 64-bit integers only, so
// that one binary serves every version of PyTorch. `native.py` mirrors these structs in ctypes.
//
// T steps, B rows, I inputs, H memory cells, P features of the hidden state; N is the number of
// valid steps of all rows together. Buffers of N rows hold row 0's steps, then row 1's, and so on.
#ifndef GATED_H
#define GATED_H

#include <stdint.h>

#define GATED_ABI 1
#define GATED_API __attribute__((visibility("default")))
#define GATED_MAX_DIRECTIONS 2

// The blocks that a layout may have, in the order of the arrays below.
enum GatedBlock {
    GATED_INPUT_GATE,
    GATED_FORGET_GATE,
    GATED_CONTENT,
    GATED_OUTPUT_GATE,
    GATED_HIGHWAY_GATE,
    GATED_HIGHWAY_INPUT,
    GATED_BLOCKS
};

enum GatedIsa { GATED_BASELINE, GATED_AVX2, GATED_AVX512, GATED_ISAS };

typedef struct {
    int64_t reverse;
    // Read by both passes. Null: there is none (states: zeros).
    const void* weight_ih;            // (input blocks * H, I)
    const void* weight_hh;            // (hidden blocks * H, P)
    const void* bias;                 // (bias blocks * H)
    const void* weight_hr;            // (P, H)
    const void* hidden_0;             // (B, P)
    const void* memory_cell_0;        // (B, H)
    const void* hidden_dropout_mask;  // (B, P)
    // Kept for the backward pass. The first holds the x projections, then the activations of the
    // gates in their place, and after the backward pass the gradients of their sums.
    void* gates;         // (N, input blocks * H)
    void* memory_cells;  // (N, H); null where no backward pass follows
    // Written by the forward pass.
    void* final_hidden;       // (B, P)
    void* final_memory_cell;  // (B, H)
    // Gradients that the backward pass reads; null: zeros.
    const void* grad_final_hidden;
    const void* grad_final_memory_cell;
    // Gradients that it writes; null: not wanted.
    void* grad_weight_ih;
    void* grad_weight_hh;
    void* grad_bias;
    void* grad_weight_hr;
    void* grad_hidden_0;
    void* grad_memory_cell_0;
} GatedDirection;

typedef struct {
    int64_t is_double;
    int64_t isa;      // a GatedIsa that gated_supports
    int64_t threads;  // at least 1
    int64_t own_threads;  // whether to start threads here and not ask the OpenMP pool
    int64_t steps, batch_size, input_size, hidden_size, recurrent_size;
    int64_t num_directions;
    int64_t valid_steps;  // N
    int64_t keep;         // whether a backward pass may follow
    // Which block of each matrix belongs to which part, or -1.
    int64_t input_block[GATED_BLOCKS];
    int64_t hidden_block[GATED_BLOCKS];
    int64_t bias_block[GATED_BLOCKS];
    const int64_t* lengths;  // (B,), each from 0 to T; null: T for all
    // Tensors of shape (T, B, features) with strides over T and B in elements; features are dense.
    const void* inputs;
    int64_t inputs_stride_t, inputs_stride_b;
    void* outputs;
    int64_t outputs_stride_t, outputs_stride_b;
    const void* grad_outputs;  // null: zeros
    int64_t grad_outputs_stride_t, grad_outputs_stride_b;
    void* grad_inputs;  // null: not wanted
    int64_t grad_inputs_stride_t, grad_inputs_stride_b;
    void* scratch;  // as many bytes as gated_scratch says, aligned to 64
    GatedDirection directions[GATED_MAX_DIRECTIONS];
} GatedLayer;

#ifdef __cplusplus
extern "C" {
#endif

GATED_API int64_t gated_abi(void);
// Whether the binary has that path and this processor can run it.
GATED_API int64_t gated_has(int64_t isa);
GATED_API int64_t gated_supports(int64_t isa);
// Hands over the address of GOMP_parallel in the OpenMP runtime that the host program uses.
GATED_API void gated_set_openmp(void* gomp_parallel);
GATED_API int64_t gated_scratch(const GatedLayer* layer, int64_t backward);
GATED_API void gated_forward(const GatedLayer* layer);
GATED_API void gated_backward(const GatedLayer* layer);

#ifdef __cplusplus
}
#endif
#endif
