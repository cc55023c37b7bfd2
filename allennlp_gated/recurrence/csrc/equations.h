// The equations of Levy et al. 2018 for one row at one step, and their derivatives. Numbers in
// parentheses are the paper's. Which of them there are follows from the layout alone.
#ifndef GATED_EQUATIONS_H
#define GATED_EQUATIONS_H

#include "gated.h"
#include "simd.h"

namespace {

// Where each block starts in a row of sums; -1 where it is ablated.
struct Parts {
    int64_t hidden_size;
    int64_t input_gate, forget_gate, content, output_gate, highway_gate, highway_input;
    bool content_is_recurrent;  // then it goes through a tanh

    explicit Parts(const GatedLayer& layer) : hidden_size(layer.hidden_size) {
        auto start = [&](int block) {
            const int64_t index = layer.input_block[block];
            return index < 0 ? index : index * layer.hidden_size;
        };
        input_gate = start(GATED_INPUT_GATE);
        forget_gate = start(GATED_FORGET_GATE);
        content = start(GATED_CONTENT);
        output_gate = start(GATED_OUTPUT_GATE);
        highway_gate = start(GATED_HIGHWAY_GATE);
        highway_input = start(GATED_HIGHWAY_INPUT);
        content_is_recurrent = layer.hidden_block[GATED_CONTENT] >= 0;
    }
    bool has_memory_cell() const { return forget_gate >= 0; }
    bool has_output_gate() const { return output_gate >= 0; }
    bool has_highway() const { return highway_gate >= 0; }
};

// Rows that one step reads and writes; null where there is no such thing.
template <typename T>
struct StepForward {
    T* sums;  // in: W x + W h + b; out: the activations, where they are kept
    const T* previous_cell;
    T* cell;
    T* hidden;
    const T* dropout_mask;
    T* seen;  // the hidden state as the next step's product sees it
};

template <bool WHOLE, typename T>
GATED_INLINE Vector<T> gate_part(const StepForward<T>& row, bool keep, int64_t start, int64_t j,
                                 int64_t n) {
    const Vector<T> value = sigmoid<T>(load_part<WHOLE>(row.sums + start + j, n));
    if (keep) store_part<WHOLE>(row.sums + start + j, value, n);
    return value;
}

template <bool WHOLE, typename T>
GATED_INLINE Vector<T> content_part(const Parts& parts, const StepForward<T>& row, bool keep,
                                    int64_t j, int64_t n) {
    T* const content = row.sums + parts.content + j;
    if (!parts.content_is_recurrent) return load_part<WHOLE>(content, n);
    const Vector<T> value = hyperbolic_tangent<T>(load_part<WHOLE>(content, n));  // (1), (2)
    if (keep) store_part<WHOLE>(content, value, n);
    return value;
}

template <bool WHOLE, typename T>
GATED_INLINE void cell_part(const Parts& parts, const StepForward<T>& row, bool keep, int64_t j,
                            int64_t n) {
    const Vector<T> content = content_part<WHOLE>(parts, row, keep, j, n);
    const Vector<T> input_gate = gate_part<WHOLE>(row, keep, parts.input_gate, j, n);    // (3)
    const Vector<T> forget_gate = gate_part<WHOLE>(row, keep, parts.forget_gate, j, n);  // (4)
    const Vector<T> previous = load_part<WHOLE>(row.previous_cell + j, n);
    store_part<WHOLE>(row.cell + j, input_gate * content + forget_gate * previous, n);  // (5)
}

template <bool WHOLE, typename T>
GATED_INLINE void hidden_part(const Parts& parts, const StepForward<T>& row, bool keep, int64_t j,
                              int64_t n) {
    Vector<T> hidden;
    if (parts.has_memory_cell()) {
        hidden = hyperbolic_tangent<T>(load_part<WHOLE>(row.cell + j, n));
    } else {
        hidden = content_part<WHOLE>(parts, row, keep, j, n);
    }
    if (parts.has_output_gate()) {
        hidden = gate_part<WHOLE>(row, keep, parts.output_gate, j, n) * hidden;  // (6), (7)
    }
    if (parts.has_highway()) {
        const Vector<T> carry = gate_part<WHOLE>(row, keep, parts.highway_gate, j, n);
        const Vector<T> input = load_part<WHOLE>(row.sums + parts.highway_input + j, n);
        hidden = carry * hidden + (T(1) - carry) * input;
    }
    store_part<WHOLE>(row.hidden + j, hidden, n);
    if (row.seen) {
        if (row.dropout_mask) hidden = hidden * load_part<WHOLE>(row.dropout_mask + j, n);
        store_part<WHOLE>(row.seen + j, hidden, n);
    }
}

// All memory cells and then all hidden states, and not both in turn: each is a long chain of
// operations, of which the processor then has several under way.
template <typename T>
void step_forward(const Parts& parts, const StepForward<T>& row, bool keep) {
    constexpr int64_t W = width<T>();
    const int64_t H = parts.hidden_size, whole = H / W * W;
    if (parts.has_memory_cell()) {
        for (int64_t j = 0; j < whole; j += W) cell_part<true>(parts, row, keep, j, W);
        if (whole < H) cell_part<false>(parts, row, keep, whole, H - whole);
    }
    for (int64_t j = 0; j < whole; j += W) hidden_part<true>(parts, row, keep, j, W);
    if (whole < H) hidden_part<false>(parts, row, keep, whole, H - whole);
}

template <typename T>
struct StepBackward {
    T* gates;  // in: activations; out: gradients of the sums
    const T* cell;
    const T* previous_cell;
    const T* grad_hidden;
    const T* grad_output;  // added to it; null: zeros
    T* grad_cell;          // in: of c_t, from the next step; out: of c_{t-1}
    T* hidden;             // null, or where to put the hidden state again
    T* grad_bias;          // null, or where to add the gradients of the sums
};

template <bool WHOLE, typename T>
GATED_INLINE void backward_part(const Parts& parts, const StepBackward<T>& row, int64_t j,
                                int64_t n) {
    T* const gates = row.gates + j;
    auto put = [&](int64_t start, Vector<T> gradient) {
        store_part<WHOLE>(gates + start, gradient, n);
        if (row.grad_bias) {
            T* sum = row.grad_bias + start + j;
            store_part<WHOLE>(sum, load_part<WHOLE>(sum, n) + gradient, n);
        }
    };
    Vector<T> grad_hidden = load_part<WHOLE>(row.grad_hidden + j, n);
    if (row.grad_output) grad_hidden += load_part<WHOLE>(row.grad_output + j, n);

    const Vector<T> content = load_part<WHOLE>(gates + parts.content, n);
    Vector<T> squashed = content, output_gate = {}, hidden = content;
    if (parts.has_memory_cell()) {
        squashed = hyperbolic_tangent<T>(load_part<WHOLE>(row.cell + j, n));
        hidden = squashed;
        if (parts.has_output_gate()) {
            output_gate = load_part<WHOLE>(gates + parts.output_gate, n);
            hidden = output_gate * squashed;
        }
    }
    if (parts.has_highway()) {
        const Vector<T> carry = load_part<WHOLE>(gates + parts.highway_gate, n);
        const Vector<T> input = load_part<WHOLE>(gates + parts.highway_input, n);
        put(parts.highway_gate, grad_hidden * (hidden - input) * carry * (T(1) - carry));
        put(parts.highway_input, grad_hidden * (T(1) - carry));
        if (row.hidden) hidden = carry * hidden + (T(1) - carry) * input;
        grad_hidden *= carry;
    }
    if (row.hidden) store_part<WHOLE>(row.hidden + j, hidden, n);
    if (!parts.has_memory_cell()) {
        put(parts.content, grad_hidden * (T(1) - content * content));
        return;
    }
    if (parts.has_output_gate()) {
        put(parts.output_gate, grad_hidden * squashed * output_gate * (T(1) - output_gate));
        grad_hidden *= output_gate;
    }
    const Vector<T> grad_cell =
        load_part<WHOLE>(row.grad_cell + j, n) + grad_hidden * (T(1) - squashed * squashed);
    const Vector<T> input_gate = load_part<WHOLE>(gates + parts.input_gate, n);
    const Vector<T> forget_gate = load_part<WHOLE>(gates + parts.forget_gate, n);
    const Vector<T> previous = load_part<WHOLE>(row.previous_cell + j, n);
    put(parts.input_gate, grad_cell * content * input_gate * (T(1) - input_gate));
    put(parts.forget_gate, grad_cell * previous * forget_gate * (T(1) - forget_gate));
    const Vector<T> grad_content = grad_cell * input_gate;
    put(parts.content,
        parts.content_is_recurrent ? grad_content * (T(1) - content * content) : grad_content);
    store_part<WHOLE>(row.grad_cell + j, grad_cell * forget_gate, n);
}

template <typename T>
void step_backward(const Parts& parts, const StepBackward<T>& row) {
    constexpr int64_t W = width<T>();
    int64_t j = 0;
    for (; j + W <= parts.hidden_size; j += W) backward_part<true>(parts, row, j, W);
    if (j < parts.hidden_size) backward_part<false>(parts, row, j, parts.hidden_size - j);
}

}  // namespace
#endif
