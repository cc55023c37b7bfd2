// A whole layer, both directions together, forward and backward: a few phases, each split into lanes
// that do not wait for one another.
#ifndef GATED_LAYER_H
#define GATED_LAYER_H

#include "isa.h"
#include "parallel.h"
#include "scan.h"

namespace {

// Calls `phase(d, part, parts, lane)` for every part of every direction, in parallel.
template <typename T, typename Phase>
void in_parallel(const Plan<T>& plan, Phase phase) {
    struct Context {
        const Plan<T>& plan;
        Phase& phase;
    } context{plan, phase};
    gated_parallel(
        [](void* argument, int64_t lane) {
            Context& context = *static_cast<Context*>(argument);
            const Plan<T>& plan = context.plan;
            const int64_t parts = plan.parts_per_direction;
            if (parts * plan.D == plan.lanes) {
                context.phase(lane / parts, lane % parts, parts, lane);
            } else {
                for (int64_t d = 0; d < plan.D; ++d) context.phase(d, lane, parts, lane);
            }
        },
        &context, plan.lanes, plan.layer.own_threads);
}

// Packs this part's panels of a (depth, columns) matrix; `rows` as in `Operand`.
template <typename T>
void pack(Operand<T> matrix, int64_t depth, int64_t columns, int64_t part, int64_t parts,
          T* packed) {
    constexpr int64_t NR = tile_columns<T>();
    const Range mine = share(columns, NR, part, parts);
    for (int64_t j = mine.first; j < mine.end; j += NR) {
        pack_panel(matrix.rows, matrix.transposed, 0, depth, j, smaller(NR, columns - j),
                   packed + j * depth);
    }
}

template <typename T>
Operand<T> operand(const void* base, int64_t stride, bool transposed,
                   const int64_t* offset = nullptr) {
    return {{static_cast<const T*>(base), stride, offset}, transposed};
}

template <typename T>
void prepare_bias(const Plan<T>& plan, const GatedDirection& direction, T* bias) {
    memset(bias, 0, plan.G * sizeof(T));
    if (!direction.bias) return;
    for (int block = 0; block < GATED_BLOCKS; ++block) {
        const int64_t from = plan.layer.bias_block[block];
        if (from < 0) continue;
        memcpy(bias + plan.layer.input_block[block] * plan.H,
               static_cast<const T*>(direction.bias) + from * plan.H, plan.H * sizeof(T));
    }
}

// The initial states of the rows that have steps, as products see them: masked in a copy.
template <typename T>
void prepare_states(const Plan<T>& plan, const GatedDirection& direction, T* seen_0) {
    for (int64_t i = 0; seen_0 && i < plan.F; ++i) {
        const int64_t at = plan.state_offset[i];
        copy_masked(seen_0 + i * plan.P, static_cast<const T*>(direction.hidden_0) + at,
                    static_cast<const T*>(direction.hidden_dropout_mask) + at, plan.P);
    }
}

template <typename T>
Operand<T> initial_states(const Plan<T>& plan, int64_t d) {
    const T* seen_0 = plan.sides[d].seen_0;
    if (seen_0) return operand<T>(seen_0, plan.P, false);
    return operand<T>(plan.layer.directions[d].hidden_0, 0, false, plan.state_offset);
}

// W_hh h of a single step, for those columns of the sums.
template <typename T>
void add_states(const Plan<T>& plan, int64_t d, Range columns, T* scratch) {
    const GatedDirection& direction = plan.layer.directions[d];
    if (!plan.single_step || !direction.weight_hh || !direction.hidden_0) return;
    for (int64_t r = 0; r < plan.num_runs; ++r) {
        const Run run = plan.runs[r];
        const Range mine = {larger(columns.first - run.input_first, 0),
                            smaller(columns.end - run.input_first, run.columns)};
        if (mine.first >= mine.end) continue;
        multiply<T>(initial_states(plan, d),
                    operand<T>(static_cast<const T*>(direction.weight_hh) +
                                   run.hidden_first * plan.P,
                               plan.P, true),
                    {static_cast<T*>(direction.gates) + run.input_first, plan.G, nullptr},
                    {0, plan.N}, mine, plan.P, nullptr, true, scratch);
    }
}

// The gradient of a single step's initial states. The scan has left zeros there, and in a row
// without a step what that row passes on.
template <typename T>
void state_gradients(const Plan<T>& plan, int64_t d, int64_t part, int64_t parts, T* scratch) {
    const GatedDirection& direction = plan.layer.directions[d];
    if (!plan.single_step || !direction.weight_hh || !direction.grad_hidden_0) return;
    const Range columns = share(plan.P, tile_columns<T>(), part, parts);
    T* gradient = static_cast<T*>(direction.grad_hidden_0);
    for (int64_t r = 0; r < plan.num_runs; ++r) {
        const Run run = plan.runs[r];
        multiply<T>(operand<T>(static_cast<const T*>(direction.gates) + run.input_first, plan.G,
                               false),
                    operand<T>(static_cast<const T*>(direction.weight_hh) +
                                   run.hidden_first * plan.P,
                               plan.P, false),
                    {gradient, 0, plan.state_offset}, {0, plan.N}, columns, run.columns, nullptr,
                    true, scratch);
    }
    const T* mask = static_cast<const T*>(direction.hidden_dropout_mask);
    for (int64_t n = 0; mask && n < plan.N; ++n) {
        const int64_t at = plan.state_offset[n];
        for (int64_t j = columns.first; j < columns.end; ++j) gradient[at + j] *= mask[at + j];
    }
}

template <typename T>
void forward(const GatedLayer& layer) {
    const Plan<T> plan(layer, false, false);
    for (int64_t d = 0; d < plan.D; ++d) {
        prepare_bias(plan, layer.directions[d], plan.sides[d].bias);
        prepare_states(plan, layer.directions[d], plan.sides[d].seen_0);
    }
    // W_x x + b for all steps at once, and the matrices that the steps multiply by.
    in_parallel(plan, [&](int64_t d, int64_t part, int64_t parts, int64_t lane) {
        const GatedDirection& direction = layer.directions[d];
        const auto& side = plan.sides[d];
        const Range columns = share(plan.G, tile_columns<T>(), part, parts);
        multiply<T>(operand<T>(layer.inputs, 0, false, plan.input_offset),
                    operand<T>(direction.weight_ih, plan.I, true),
                    {static_cast<T*>(direction.gates), plan.G, nullptr}, {0, plan.N}, columns,
                    plan.I, side.bias, false, plan.multiply_space(lane));
        add_states(plan, d, columns, plan.multiply_space(lane));
        T* packed = side.packed_hh;
        for (int64_t r = 0; packed && r < plan.num_runs; ++r) {
            const Run run = plan.runs[r];
            const T* weight = static_cast<const T*>(direction.weight_hh);
            pack(operand<T>(weight + run.hidden_first * plan.P, plan.P, true), plan.P, run.columns,
                 part, parts, packed);
            packed += round_up(run.columns, tile_columns<T>()) * plan.P;
        }
        if (side.packed_hr) {
            pack(operand<T>(direction.weight_hr, plan.H, true), plan.H, plan.P, part, parts,
                 side.packed_hr);
        }
    });
    in_parallel(plan, [&](int64_t d, int64_t part, int64_t parts, int64_t lane) {
        ForwardScan<T>(plan, d, LaneRows(part, parts, plan.B), lane).run();
    });
}

// Rows of the gradients of W_x and W_h, for some columns of the sums: the sums' gradients, times what
// the sums saw at all steps of all rows. `run` is null where they saw x alone.
template <typename T>
void weight_rows(const Plan<T>& plan, int64_t d, Range columns, const Run* run, Range mine,
                 T* scratch) {
    const GatedDirection& direction = plan.layer.directions[d];
    const auto& side = plan.sides[d];
    const Operand<T> gates = operand<T>(static_cast<const T*>(direction.gates) + columns.first, 0,
                                        true, side.gates_at);
    Term<T> terms[2];
    int64_t count = 0;
    if (direction.grad_weight_ih) {
        T* gradient = static_cast<T*>(direction.grad_weight_ih) + columns.first * plan.I;
        terms[count++] = {operand<T>(plan.layer.inputs, 0, false, side.inputs_at),
                          {gradient, plan.I, nullptr}, {0, plan.I}, nullptr, false, 0};
    }
    if (run && direction.grad_weight_hh) {
        T* gradient = static_cast<T*>(direction.grad_weight_hh) + run->hidden_first * plan.P;
        const void* previous = side.seen ? side.seen : plan.layer.outputs;
        terms[count++] = {operand<T>(previous, 0, false, side.previous_at),
                          {gradient, plan.P, nullptr}, {0, plan.P}, nullptr, false, plan.F};
    }
    multiply<T>(gates, terms, count, mine, plan.N, scratch);
    if (run && direction.grad_weight_hh && direction.hidden_0) {
        const Term<T> first = {initial_states(plan, d), terms[count - 1].target, {0, plan.P},
                               nullptr, true, 0};
        multiply<T>(gates, &first, 1, mine, plan.F, scratch);
    }
}

// The gradients of the parameters: each one product over all steps of all rows.
template <typename T>
void weight_gradients(const Plan<T>& plan, int64_t d, int64_t part, int64_t parts, T* scratch) {
    const GatedDirection& direction = plan.layer.directions[d];
    const auto& side = plan.sides[d];
    int64_t done = 0;
    for (int64_t r = 0; r <= plan.num_runs; ++r) {
        const Run* run = r < plan.num_runs ? &plan.runs[r] : nullptr;
        const Range between = {done, run ? run->input_first : plan.G};
        weight_rows<T>(plan, d, between, nullptr, share(between.size(), TILE_ROWS, part, parts),
                       scratch);
        if (!run) break;
        done = run->input_first + run->columns;
        weight_rows<T>(plan, d, {run->input_first, done}, run,
                       share(run->columns, TILE_ROWS, part, parts), scratch);
    }
    if (direction.grad_weight_hr) {
        multiply<T>(operand<T>(side.grad_output, plan.P, true),
                    operand<T>(side.raw_hidden, plan.H, false),
                    {static_cast<T*>(direction.grad_weight_hr), plan.H, nullptr},
                    share(plan.P, TILE_ROWS, part, parts), {0, plan.H}, plan.N, nullptr, false,
                    scratch);
    }
    if (direction.grad_bias && part == 0) {
        for (int block = 0; block < GATED_BLOCKS; ++block) {
            if (plan.layer.bias_block[block] < 0) continue;
            T* to = static_cast<T*>(direction.grad_bias) + plan.layer.bias_block[block] * plan.H;
            const T* from = side.grad_bias + plan.G + plan.layer.input_block[block] * plan.H;
            for (int64_t j = 0; j < plan.H; ++j) {
                T sum = 0;
                for (int64_t i = 0; i < parts; ++i) sum += from[i * 2 * plan.G + j];
                to[j] = sum;
            }
        }
    }
}

// The gradient of the inputs, zero in the padding: this lane's share of the steps, all directions.
template <typename T>
void input_gradients(const Plan<T>& plan, int64_t lane) {
    const GatedLayer& layer = plan.layer;
    T* gradient = static_cast<T*>(layer.grad_inputs);
    if (!gradient) return;
    for (int64_t d = 0; d < plan.D; ++d) {
        multiply<T>(operand<T>(layer.directions[d].gates, plan.G, false),
                    operand<T>(layer.directions[d].weight_ih, plan.I, false),
                    {gradient, 0, plan.grad_input_offset},
                    share(plan.N, TILE_ROWS, lane, plan.lanes), {0, plan.I}, plan.G, nullptr,
                    d > 0, plan.multiply_space(lane));
    }
    for (int64_t b = lane; b < plan.B; b += plan.lanes) {
        for (int64_t t = plan.length[b]; t < plan.T_; ++t) {
            memset(gradient + t * layer.grad_inputs_stride_t + b * layer.grad_inputs_stride_b, 0,
                   plan.I * sizeof(T));
        }
    }
}

template <typename T>
void backward(const GatedLayer& layer) {
    const Plan<T> plan(layer, true, false);
    in_parallel(plan, [&](int64_t d, int64_t part, int64_t parts, int64_t) {
        const GatedDirection& direction = layer.directions[d];
        const auto& side = plan.sides[d];
        if (side.packed_hh) {
            pack(operand<T>(direction.weight_hh, plan.P, false), plan.K, plan.P, part, parts,
                 side.packed_hh);
        }
        if (side.packed_hr) {
            pack(operand<T>(direction.weight_hr, plan.H, false), plan.P, plan.H, part, parts,
                 side.packed_hr);
        }
        if (part == 0) {
            plan.order_steps(d);
            prepare_states(plan, direction, side.seen_0);
        }
    });
    in_parallel(plan, [&](int64_t d, int64_t part, int64_t parts, int64_t lane) {
        BackwardScan<T>(plan, d, LaneRows(part, parts, plan.B), lane).run();
    });
    in_parallel(plan, [&](int64_t d, int64_t part, int64_t parts, int64_t lane) {
        weight_gradients<T>(plan, d, part, parts, plan.multiply_space(lane));
        state_gradients<T>(plan, d, part, parts, plan.multiply_space(lane));
        if (d == plan.D - 1 || parts * plan.D == plan.lanes) input_gradients<T>(plan, lane);
    });
}

int64_t scratch_of(const GatedLayer* layer, int64_t backward) {
    return layer->is_double ? Plan<double>(*layer, backward, true).scratch_bytes
                            : Plan<float>(*layer, backward, true).scratch_bytes;
}
void forward_of(const GatedLayer* layer) {
    layer->is_double ? forward<double>(*layer) : forward<float>(*layer);
}
void backward_of(const GatedLayer* layer) {
    layer->is_double ? backward<double>(*layer) : backward<float>(*layer);
}

const GatedKernels KERNELS = {scratch_of, forward_of, backward_of};

}  // namespace
#endif
