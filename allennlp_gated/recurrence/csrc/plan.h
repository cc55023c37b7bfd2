// What one call works with: sizes, the order of the rows, and where everything lies in the scratch.
#ifndef GATED_PLAN_H
#define GATED_PLAN_H

#include "equations.h"
#include "gated.h"
#include "product.h"

namespace {

// Below this much work (multiplications) per thread, a further thread costs more than it gives.
constexpr double WORK_PER_THREAD = 500e3;

// Hidden blocks that are neighbours among the input blocks too: one product serves them.
struct Run {
    int64_t input_first, hidden_first, columns;
};

// Hands out pieces of one buffer; with a null buffer it only adds up their sizes.
struct Arena {
    char* base;
    int64_t used;

    template <typename U>
    U* take(int64_t count) {
        const int64_t at = used;
        used += round_up(count * static_cast<int64_t>(sizeof(U)), 64);
        return reinterpret_cast<U*>(base + (base ? at : 0));
    }
};

template <typename T>
struct Plan {
    struct Side {  // one direction's part of the scratch
        T* bias;          // (input blocks * H): the bias, zero where a block has none
        T* packed_hh;     // W_hh for the product of the step
        T* packed_hr;     // W_hr likewise
        T* seen;          // (B, P) forward: h_{t-1} as the product sees it; (N, P) backward, if masked
        T* seen_0;        // (F, P): the initial hidden states, if they are masked
        T* cells;         // (B, H) forward without keeping
        T* raw_hidden;    // (B, H) forward, (N, H) backward: before its projection
        T* grad_output;   // (N, P): of the projected hidden state
        T* grad_hidden;   // (B, P)
        T* grad_raw;      // (B, H)
        T* grad_cell;     // (B, H)
        T* grad_bias;     // (parts, input blocks * H)
        // (N,) each: the steps as the gradients of the weights take them, the first of each row and
        // then all others. Where their gates are, what they saw of x, and from F on, of h.
        int64_t *gates_at, *inputs_at, *previous_at;
    };

    const GatedLayer& layer;
    const Parts parts;
    int64_t T_, B, I, H, P, G, K, N, D;  // G, K: columns of all input blocks, of all hidden blocks
    int64_t lanes, parts_per_direction;
    Run runs[GATED_BLOCKS];
    int64_t num_runs;
    int64_t *length, *start, *order;  // per row; `order` sorts them, the longest first
    int64_t *input_offset, *grad_input_offset;  // per valid step
    // A decoder's call. Its only product with W_hh is one product of all rows, and none of the scan's.
    bool single_step;
    int64_t F;              // rows that have steps
    int64_t* state_offset;  // per such row: where its states are
    T* zeros;          // (max of H, P)
    T* lane_scratch;   // (lanes, multiply_scratch)
    T** lane_rows;     // (lanes, 2 * B)
    Side sides[GATED_MAX_DIRECTIONS];
    int64_t scratch_bytes;

    Plan(const GatedLayer& call, bool backward, bool measure) : layer(call), parts(call) {
        T_ = layer.steps, B = layer.batch_size, I = layer.input_size, H = layer.hidden_size;
        P = layer.recurrent_size, N = layer.valid_steps, D = layer.num_directions;
        single_step = T_ == 1;
        find_blocks();
        const double work = static_cast<double>(N) * static_cast<double>(D) *
                            static_cast<double>(G * I + K * P + 16 * G);
        lanes = layer.threads;
        if (lanes > 1 + work / WORK_PER_THREAD) lanes = 1 + static_cast<int64_t>(work / WORK_PER_THREAD);
        // Each direction on its own threads where they divide evenly; else all on both.
        parts_per_direction = lanes % D == 0 ? lanes / D : lanes;

        Arena arena{measure ? nullptr : static_cast<char*>(layer.scratch), 0};
        length = arena.template take<int64_t>(B);
        start = arena.template take<int64_t>(B);
        order = arena.template take<int64_t>(B);
        int64_t* places = arena.template take<int64_t>(T_ + 1);
        input_offset = arena.template take<int64_t>(N);
        grad_input_offset = backward ? arena.template take<int64_t>(N) : nullptr;
        state_offset = arena.template take<int64_t>(B);
        zeros = arena.template take<T>(H > P ? H : P);
        lane_scratch = arena.template take<T>(lanes * multiply_scratch<T>());
        lane_rows = arena.template take<T*>(lanes * 2 * B);
        for (int64_t d = 0; d < D; ++d) carve(layer.directions[d], sides[d], arena, backward);
        scratch_bytes = arena.used;
        if (!measure) {
            sort_rows(places);
            index(input_offset, layer.inputs_stride_t, layer.inputs_stride_b);
            if (backward) {
                index(grad_input_offset, layer.grad_inputs_stride_t, layer.grad_inputs_stride_b);
            }
            memset(zeros, 0, (H > P ? H : P) * sizeof(T));
        }
    }

    // Columns of W_hh's panels, each run filled up to whole panels.
    int64_t packed_columns() const {
        int64_t total = 0;
        for (int64_t r = 0; r < num_runs; ++r) {
            total += round_up(runs[r].columns, tile_columns<T>());
        }
        return total;
    }

    T* multiply_space(int64_t lane) const { return lane_scratch + lane * multiply_scratch<T>(); }
    T** row_pointers(int64_t lane) const { return lane_rows + lane * 2 * B; }

    // Fills in `gates_at` and what belongs to it.
    void order_steps(int64_t d) const {
        const Side& side = sides[d];
        int64_t first = 0, other = F;
        for (int64_t b = 0; side.gates_at && b < B; ++b) {
            for (int64_t s = 0; s < length[b]; ++s) {
                const int64_t n = s > 0 ? other++ : first++;
                const int64_t position = start[b] + time(layer.directions[d], b, s);
                side.gates_at[n] = position * G;
                side.inputs_at[n] = input_offset[position];
                if (side.seen) {
                    side.previous_at[n] = position * P;
                } else if (s > 0) {
                    const int64_t t = time(layer.directions[d], b, s - 1);
                    side.previous_at[n] =
                        t * layer.outputs_stride_t + b * layer.outputs_stride_b + d * P;
                }
            }
        }
    }

    // The step of time at which row `b` makes its `s`-th step.
    GATED_INLINE int64_t time(const GatedDirection& direction, int64_t b, int64_t s) const {
        return direction.reverse ? length[b] - 1 - s : s;
    }
    GATED_INLINE T* output(int64_t d, int64_t t, int64_t b) const {
        return static_cast<T*>(layer.outputs) + t * layer.outputs_stride_t +
               b * layer.outputs_stride_b + d * P;
    }

   private:
    void find_blocks() {
        int64_t inputs = 0, hidden = 0;
        int64_t input_of[GATED_BLOCKS];  // by position among the hidden blocks
        for (int block = 0; block < GATED_BLOCKS; ++block) {
            inputs += layer.input_block[block] >= 0;
            if (layer.hidden_block[block] >= 0) {
                input_of[layer.hidden_block[block]] = layer.input_block[block];
                ++hidden;
            }
        }
        G = inputs * H, K = hidden * H;
        num_runs = 0;
        for (int64_t block = 0; block < hidden; ++block) {
            if (block > 0 && input_of[block] == input_of[block - 1] + 1) {
                runs[num_runs - 1].columns += H;
            } else {
                runs[num_runs++] = Run{input_of[block] * H, block * H, H};
            }
        }
    }

    void carve(const GatedDirection& direction, Side& side, Arena& arena, bool backward) {
        const bool recurs = direction.weight_hh, projects = direction.weight_hr;
        auto if_ = [&](bool wanted, int64_t count) {
            return wanted ? arena.template take<T>(count) : nullptr;
        };
        constexpr int64_t NR = tile_columns<T>();
        side.bias = if_(!backward, G);
        side.packed_hh = if_(recurs && !single_step, backward ? round_up(P, NR) * K : packed_columns() * P);
        side.packed_hr = if_(projects, backward ? round_up(H, NR) * P : round_up(P, NR) * H);
        const bool masked = direction.hidden_dropout_mask;
        const bool copies = !backward || (masked && direction.grad_weight_hh);
        side.seen = if_(recurs && !single_step && copies, backward ? N * P : B * P);
        side.seen_0 = if_(recurs && masked && direction.hidden_0 &&
                              (backward ? direction.grad_weight_hh != nullptr : single_step),
                          B * P);
        const bool orders = backward && (direction.grad_weight_ih || direction.grad_weight_hh);
        side.gates_at = orders ? arena.template take<int64_t>(N) : nullptr;
        side.inputs_at = orders ? arena.template take<int64_t>(N) : nullptr;
        side.previous_at = orders ? arena.template take<int64_t>(N) : nullptr;
        side.cells = if_(!backward && parts.has_memory_cell() && !direction.memory_cells, B * H);
        side.raw_hidden = backward ? if_(direction.grad_weight_hr, N * H) : if_(projects, B * H);
        side.grad_output = if_(backward && projects, N * P);
        side.grad_hidden = if_(backward, B * P);
        side.grad_raw = if_(backward && projects, B * H);
        side.grad_cell = if_(backward && parts.has_memory_cell(), B * H);
        // Two rows for each part: the sum of some rows, and the sum of such sums.
        side.grad_bias = if_(backward && direction.grad_bias, parts_per_direction * 2 * G);
    }

    // By counting: `places[n]` is the place of the next row of length n.
    void sort_rows(int64_t* places) {
        memset(places, 0, (T_ + 1) * sizeof(int64_t));
        int64_t total = 0;
        F = 0;
        for (int64_t b = 0; b < B; ++b) {
            length[b] = layer.lengths ? layer.lengths[b] : T_;
            start[b] = total;
            total += length[b];
            ++places[length[b]];
            if (length[b] > 0) state_offset[F++] = b * P;
        }
        for (int64_t n = T_, place = 0; n >= 0; --n) {
            const int64_t rows = places[n];
            places[n] = place;
            place += rows;
        }
        for (int64_t b = 0; b < B; ++b) order[places[length[b]]++] = b;
    }

    void index(int64_t* offset, int64_t stride_t, int64_t stride_b) const {
        for (int64_t b = 0; b < B; ++b) {
            for (int64_t t = 0; t < length[b]; ++t) *offset++ = t * stride_t + b * stride_b;
        }
    }
};

}  // namespace
#endif
