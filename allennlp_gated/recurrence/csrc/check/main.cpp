// Drives the kernels over shapes that touch every edge, with every buffer of exactly the size that
// the interface promises, so that a sanitizer sees any step outside. Checks that a gradient agrees
// with a difference quotient, that all results are finite, and that instruction sets agree.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "gated.h"

namespace {

// Blocks in the order i f g o, then the highway's, as bits of GatedBlock.
struct Shape {
    const char* name;
    unsigned inputs, hidden, bias;
};

const unsigned I = 1 << GATED_INPUT_GATE, F = 1 << GATED_FORGET_GATE, C = 1 << GATED_CONTENT,
               O = 1 << GATED_OUTPUT_GATE, HG = 1 << GATED_HIGHWAY_GATE,
               HI = 1 << GATED_HIGHWAY_INPUT;
// Layouts that between them have each block present and absent in each matrix.
const Shape SHAPES[] = {
    {"i f g o | i f g o", I | F | C | O, I | F | C | O, I | F | C | O},
    {"i f g o | i f o", I | F | C | O, I | F | O, I | F | O},
    {"i f g | i f", I | F | C, I | F, I | F},
    {"i f g o | -", I | F | C | O, 0, I | F | O},
    {"g | g", C, C, C},
    {"i f g o r l | i f o r", I | F | C | O | HG | HI, I | F | O | HG, I | F | O | HG | HI},
    {"g r l | g r", C | HG | HI, C | HG, C | HG | HI},
};

int64_t place(unsigned blocks, int64_t* index) {
    int64_t count = 0;
    for (int block = 0; block < GATED_BLOCKS; ++block) {
        index[block] = blocks >> block & 1 ? count++ : -1;
    }
    return count;
}

template <typename T>
struct Buffer {
    std::vector<T> values;
    explicit Buffer(int64_t size, bool random = false) : values(size, T(NAN)) {
        if (random) {
            for (T& value : values) value = T(rand()) / T(RAND_MAX) - T(0.5);
        }
    }
    T* data() { return values.data(); }
};

// Runs both passes; returns the gradient of sum(outputs) with respect to the first input weight, and
// puts that sum into `total`.
template <typename T>
double run(const Shape& shape, int64_t isa, int64_t threads, int64_t steps, int64_t batch,
           int64_t input_size, int64_t hidden_size, bool extras, double nudge, double* total) {
    srand(1);
    GatedLayer layer = GatedLayer();
    layer.is_double = sizeof(T) == 8;
    layer.isa = isa, layer.threads = threads, layer.own_threads = 1, layer.keep = 1;
    layer.steps = steps, layer.batch_size = batch, layer.input_size = input_size;
    layer.hidden_size = hidden_size, layer.num_directions = 2;
    const int64_t P = extras ? (hidden_size + 1) / 2 : hidden_size, H = hidden_size;
    layer.recurrent_size = P;
    const int64_t G = place(shape.inputs, layer.input_block) * H;
    const int64_t K = place(shape.hidden, layer.hidden_block) * H;
    const int64_t biases = place(shape.bias, layer.bias_block) * H;
    std::vector<int64_t> lengths(batch);
    for (int64_t b = 0; b < batch; ++b) {
        lengths[b] = extras ? (b * 7 + 3) % (steps + 1) : steps;
        layer.valid_steps += lengths[b];
    }
    if (extras) layer.lengths = lengths.data();
    const int64_t N = layer.valid_steps;

    std::vector<Buffer<T>> buffers;
    buffers.reserve(64);
    auto make = [&](int64_t size, bool random) {
        buffers.emplace_back(size, random);
        return buffers.back().data();
    };
    T* inputs = make(steps * batch * input_size, true);
    for (int64_t b = 0; b < batch; ++b) {
        for (int64_t t = lengths[b]; t < steps; ++t) {
            for (int64_t i = 0; i < input_size; ++i) {
                inputs[(t * batch + b) * input_size + i] = T(NAN);
            }
        }
    }
    T* outputs = make(steps * batch * 2 * P, false);
    T* ones = make(steps * batch * 2 * P, false);
    for (T& one : buffers.back().values) one = 1;
    layer.inputs = inputs;
    layer.inputs_stride_t = batch * input_size, layer.inputs_stride_b = input_size;
    layer.outputs = outputs, layer.grad_outputs = ones;
    layer.outputs_stride_t = layer.grad_outputs_stride_t = batch * 2 * P;
    layer.outputs_stride_b = layer.grad_outputs_stride_b = 2 * P;
    std::vector<T*> grads;
    std::vector<int64_t> sizes;
    auto gradient = [&](int64_t size) {
        grads.push_back(make(size, false));
        sizes.push_back(size);
        return grads.back();
    };
    layer.grad_inputs = gradient(steps * batch * input_size);
    layer.grad_inputs_stride_t = layer.inputs_stride_t;
    layer.grad_inputs_stride_b = layer.inputs_stride_b;
    T* first_gradient = nullptr;
    for (int64_t d = 0; d < 2; ++d) {
        GatedDirection& direction = layer.directions[d];
        direction.reverse = d;
        T* weight = make(G * input_size, true);
        if (d == 0) weight[0] += T(nudge);
        direction.weight_ih = weight;
        if (K) direction.weight_hh = make(K * P, true);
        direction.bias = make(biases, true);
        const bool has_cell = layer.input_block[GATED_FORGET_GATE] >= 0;
        if (extras) {
            direction.weight_hr = make(P * H, true);
            direction.hidden_0 = make(batch * P, true);
            direction.hidden_dropout_mask = make(batch * P, true);
            direction.grad_weight_hr = gradient(P * H);
            direction.grad_hidden_0 = gradient(batch * P);
            direction.grad_final_hidden = make(batch * P, true);
            if (has_cell) {
                direction.memory_cell_0 = make(batch * H, true);
                direction.grad_memory_cell_0 = gradient(batch * H);
                direction.grad_final_memory_cell = make(batch * H, true);
            }
        }
        direction.gates = make(N * G, false);
        if (has_cell) direction.memory_cells = make(N * H, false);
        direction.final_hidden = make(batch * P, false);
        if (has_cell) direction.final_memory_cell = make(batch * H, false);
        T* of_weight = gradient(G * input_size);
        if (d == 0) first_gradient = of_weight;
        direction.grad_weight_ih = of_weight;
        if (K) direction.grad_weight_hh = gradient(K * P);
        direction.grad_bias = gradient(biases);
    }
    for (int64_t backward = 0; backward < 2; ++backward) {
        const int64_t size = gated_scratch(&layer, backward);
        void* scratch = aligned_alloc(64, (size + 63) / 64 * 64);
        layer.scratch = scratch;
        backward ? gated_backward(&layer) : gated_forward(&layer);
        free(scratch);
    }
    *total = 0;
    for (int64_t i = 0; i < steps * batch * 2 * P; ++i) *total += outputs[i];
    bool finite = isfinite(*total);
    for (size_t i = 0; i < grads.size(); ++i) {
        for (int64_t j = 0; j < sizes[i]; ++j) finite = finite && isfinite(grads[i][j]);
    }
    if (!finite) {
        printf("%s: a result is not finite\n", shape.name);
        exit(1);
    }
    return first_gradient[0];
}

}  // namespace

int main() {
    const int64_t sizes[][4] = {{1, 1, 1, 1}, {3, 2, 5, 7}, {4, 13, 9, 33}, {5, 7, 17, 16}, {2, 1, 270, 65},
                                {1, 14, 5, 33}, {2, 300, 5, 9}};
    int64_t runs = 0;
    for (const Shape& shape : SHAPES) {
        for (const auto& s : sizes) {
            for (int extras = 0; extras < 2; ++extras) {
                for (int64_t threads = 1; threads <= 3; threads += 2) {
                    double expected = 0;
                    for (int64_t isa = 0; isa < GATED_ISAS; ++isa) {
                        if (!gated_supports(isa)) continue;
                        double total, ignored;
                        const double found = run<double>(shape, isa, threads, s[0], s[1], s[2],
                                                         s[3], extras, 0, &total);
                        run<float>(shape, isa, threads, s[0], s[1], s[2], s[3], extras, 0,
                                   &ignored);
                        if (isa == 0) expected = found;
                        if (!(fabs(found - expected) <= 1e-10)) {
                            printf("%s: %g with instruction set %d, not %g\n", shape.name, found,
                                   static_cast<int>(isa), expected);
                            return 1;
                        }
                        if (isa == 0 && !extras) {
                            double up, down;
                            run<double>(shape, isa, 1, s[0], s[1], s[2], s[3], false, 1e-5, &up);
                            run<double>(shape, isa, 1, s[0], s[1], s[2], s[3], false, -1e-5, &down);
                            if (!(fabs((up - down) / 2e-5 - found) <= 1e-6)) {
                                printf("%s: gradient %g, difference quotient %g\n", shape.name,
                                       found, (up - down) / 2e-5);
                                return 1;
                            }
                        }
                        ++runs;
                    }
                }
            }
        }
    }
    printf("%d runs, all clean\n", static_cast<int>(runs));
    return 0;
}
