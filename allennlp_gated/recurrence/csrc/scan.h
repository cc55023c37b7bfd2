// The recurrence over time: what has to be done step by step, and nothing else.
//
// A lane takes some rows of one direction through all their steps, the longest first, so that the
// rows that are still running are always a prefix and padding costs nothing. No lane waits for
// another.
#ifndef GATED_SCAN_H
#define GATED_SCAN_H

#include "plan.h"

namespace {

// The rows of part `part`: every `parts`-th of the order, for equal shares of the steps.
struct LaneRows {
    int64_t part, parts, count;

    LaneRows(int64_t part_, int64_t parts_, int64_t batch_size)
        : part(part_), parts(parts_), count((batch_size - part_ + parts_ - 1) / parts_) {}
    GATED_INLINE int64_t slot(int64_t i) const { return i * parts + part; }
};

// All rows of one step by all panels of a packed matrix of `columns` columns, of which the rows see
// the features from `feature` on and whose products go to the targets from `column` on. `panel_size`
// elements lie from one panel to the next. A panel stays in the first cache for all rows.
template <typename T>
GATED_INLINE void multiply_rows(int64_t count, const T* const* rows, int64_t feature,
                                T* const* targets, int64_t column, const T* packed,
                                int64_t panel_size, int64_t depth, int64_t columns, Start start) {
    constexpr int64_t NR = tile_columns<T>(), KC = depth_block<T>();
    const Tiles tiles(count);
    const int64_t blocks = (depth + KC - 1) / KC;
    for (int64_t j = 0; j < columns; j += NR, packed += panel_size) {
        for (int64_t block = 0; block < blocks; ++block) {
            const Range k = share(depth, 1, block, blocks);
            const T* next = block + 1 < blocks ? packed + k.end * NR : packed + panel_size;
            multiply_panel<false>(tiles, Left<T>{nullptr, 0, rows, feature + k.first},
                                  packed + k.first * NR, k.size(), targets, column + j,
                                  smaller(NR, columns - j), block ? Start::FROM_TARGET : start,
                                  static_cast<const T*>(nullptr), next);
        }
    }
}

template <typename T>
GATED_INLINE void copy_masked(T* to, const T* from, const T* mask, int64_t count) {
    if (!mask) {
        memcpy(to, from, count * sizeof(T));
    } else {
        for (int64_t j = 0; j < count; ++j) to[j] = from[j] * mask[j];
    }
}

template <typename T>
GATED_INLINE const T* row_or(const void* matrix, int64_t row, int64_t columns, const T* otherwise) {
    return matrix ? static_cast<const T*>(matrix) + row * columns : otherwise;
}

// What both passes work with: one lane's rows of one direction.
template <typename T>
class Scan {
   public:
    Scan(const Plan<T>& plan, int64_t d, LaneRows rows, int64_t lane)
        : p(plan),
          d(d),
          direction(plan.layer.directions[d]),
          side(plan.sides[d]),
          rows(rows),
          sources(plan.row_pointers(lane)),
          targets(sources + rows.count) {}

   protected:
    const Plan<T>& p;
    const int64_t d;
    const GatedDirection& direction;
    const typename Plan<T>::Side& side;
    const LaneRows rows;
    // Of each row, where a product of this step reads and writes.
    T** const sources;
    T** const targets;

    int64_t row(int64_t i) const { return p.order[rows.slot(i)]; }
    int64_t position(int64_t i, int64_t s) const {
        const int64_t b = row(i);
        return p.start[b] + p.time(direction, b, s);
    }
    T* gates(int64_t i, int64_t s) const {
        return static_cast<T*>(direction.gates) + position(i, s) * p.G;
    }
};

template <typename T>
class ForwardScan : Scan<T> {
   public:
    using Scan<T>::Scan;

    void run() {
        for (int64_t i = 0; i < rows.count; ++i) begin(i);
        if (side.packed_hh || side.packed_hr) {
            steps(0, rows.count);
        } else {
            // Rows are independent: one at a time keeps its memory cell in the first cache.
            for (int64_t i = 0; i < rows.count; ++i) steps(i, i + 1);
        }
    }

   private:
    using Scan<T>::p;
    using Scan<T>::d;
    using Scan<T>::direction;
    using Scan<T>::side;
    using Scan<T>::rows;
    using Scan<T>::sources;
    using Scan<T>::targets;
    using Scan<T>::row;
    using Scan<T>::position;
    using Scan<T>::gates;

    T* cell(int64_t i, int64_t s) const {
        if (side.cells) return side.cells + rows.slot(i) * p.H;
        return static_cast<T*>(direction.memory_cells) + position(i, s) * p.H;
    }

    // Outputs past the row's end are zero, and a row without steps ends in the state it began with.
    void begin(int64_t i) {
        const int64_t b = row(i);
        for (int64_t t = p.length[b]; t < p.T_; ++t) {
            memset(p.output(d, t, b), 0, p.P * sizeof(T));
        }
        const T* hidden = row_or<T>(direction.hidden_0, b, p.P, p.zeros);
        if (side.packed_hh && direction.hidden_0) {
            const T* mask = row_or<T>(direction.hidden_dropout_mask, b, p.P, nullptr);
            copy_masked(side.seen + rows.slot(i) * p.P, hidden, mask, p.P);
        }
        if (p.length[b] == 0) {
            finish(b, hidden, row_or<T>(direction.memory_cell_0, b, p.H, p.zeros));
        }
    }

    void finish(int64_t b, const T* hidden, const T* memory_cell) {
        memcpy(static_cast<T*>(direction.final_hidden) + b * p.P, hidden, p.P * sizeof(T));
        if (p.parts.has_memory_cell()) {
            memcpy(static_cast<T*>(direction.final_memory_cell) + b * p.H, memory_cell,
                   p.H * sizeof(T));
        }
    }

    void steps(int64_t first, int64_t end) {
        for (int64_t s = 0;; ++s) {
            while (end > first && p.length[row(end - 1)] <= s) --end;
            if (end == first) return;
            if (side.packed_hh && (s > 0 || direction.hidden_0)) add_hidden(first, end, s);
            for (int64_t i = first; i < end; ++i) equations(i, s);
            if (side.packed_hr) project(first, end, s);
            for (int64_t i = first; i < end; ++i) {
                const int64_t b = row(i);
                if (s == p.length[b] - 1) {
                    finish(b, p.output(d, p.time(direction, b, s), b),
                           p.parts.has_memory_cell() ? cell(i, s) : nullptr);
                }
            }
        }
    }

    // sums += W_hh h_{t-1}
    void add_hidden(int64_t first, int64_t end, int64_t s) {
        for (int64_t i = first; i < end; ++i) {
            sources[i] = side.seen + rows.slot(i) * p.P;
            targets[i] = gates(i, s);
        }
        const T* packed = side.packed_hh;
        for (int64_t r = 0; r < p.num_runs; ++r) {
            const Run run = p.runs[r];
            multiply_rows<T>(end - first, sources + first, 0, targets + first, run.input_first,
                             packed, tile_columns<T>() * p.P, p.P, run.columns,
                             Start::FROM_TARGET);
            packed += round_up(run.columns, tile_columns<T>()) * p.P;
        }
    }

    void equations(int64_t i, int64_t s) {
        const int64_t b = row(i), slot = rows.slot(i);
        StepForward<T> step = {};
        step.sums = gates(i, s);
        if (p.parts.has_memory_cell()) {
            step.cell = cell(i, s);
            step.previous_cell =
                s > 0 ? cell(i, s - 1) : row_or<T>(direction.memory_cell_0, b, p.H, p.zeros);
        }
        if (side.packed_hr) {
            step.hidden = side.raw_hidden + slot * p.H;
        } else {
            step.hidden = p.output(d, p.time(direction, b, s), b);
            if (side.packed_hh) {
                step.seen = side.seen + slot * p.P;
                step.dropout_mask = row_or<T>(direction.hidden_dropout_mask, b, p.P, nullptr);
            }
        }
        step_forward(p.parts, step, p.layer.keep);
    }

    // h = W_hr h
    void project(int64_t first, int64_t end, int64_t s) {
        for (int64_t i = first; i < end; ++i) {
            const int64_t b = row(i);
            sources[i] = side.raw_hidden + rows.slot(i) * p.H;
            targets[i] = p.output(d, p.time(direction, b, s), b);
        }
        multiply_rows<T>(end - first, sources + first, 0, targets + first, 0, side.packed_hr,
                         tile_columns<T>() * p.H, p.H, p.P, Start::FROM_ZERO);
        for (int64_t i = first; side.packed_hh && i < end; ++i) {
            const T* mask = row_or<T>(direction.hidden_dropout_mask, row(i), p.P, nullptr);
            copy_masked<T>(side.seen + rows.slot(i) * p.P, targets[i], mask, p.P);
        }
    }
};

template <typename T>
class BackwardScan : Scan<T> {
   public:
    BackwardScan(const Plan<T>& plan, int64_t d, LaneRows rows, int64_t lane)
        : Scan<T>(plan, d, rows, lane) {
        if (side.grad_bias) {
            grad_bias = side.grad_bias + rows.part * 2 * p.G;
            memset(grad_bias, 0, 2 * p.G * sizeof(T));
        }
    }

    void run() {
        if (side.packed_hh || side.packed_hr) {
            steps(0, rows.count);
        } else {
            for (int64_t i = 0; i < rows.count; ++i) steps(i, i + 1);
        }
        if (grad_bias) flush();
        for (int64_t i = 0; i < rows.count; ++i) {
            const int64_t b = row(i), slot = rows.slot(i);
            if (p.length[b] == 0) begin(i);
            if (direction.grad_hidden_0) {
                memcpy(static_cast<T*>(direction.grad_hidden_0) + b * p.P,
                       side.grad_hidden + slot * p.P, p.P * sizeof(T));
            }
            if (direction.grad_memory_cell_0) {
                memcpy(static_cast<T*>(direction.grad_memory_cell_0) + b * p.H,
                       side.grad_cell + slot * p.H, p.H * sizeof(T));
            }
        }
    }

   private:
    using Scan<T>::p;
    using Scan<T>::d;
    using Scan<T>::direction;
    using Scan<T>::side;
    using Scan<T>::rows;
    using Scan<T>::sources;
    using Scan<T>::targets;
    using Scan<T>::row;
    using Scan<T>::position;
    using Scan<T>::gates;

    T* grad_bias = nullptr;
    int64_t rows_in_bias = 0;

    const T* cell(int64_t i, int64_t s) const {
        if (s < 0) return row_or<T>(direction.memory_cell_0, row(i), p.H, p.zeros);
        return static_cast<const T*>(direction.memory_cells) + position(i, s) * p.H;
    }

    // The gradient of a row's last state is what is asked of its final state.
    void begin(int64_t i) {
        const int64_t b = row(i), slot = rows.slot(i);
        memcpy(side.grad_hidden + slot * p.P,
               row_or<T>(direction.grad_final_hidden, b, p.P, p.zeros), p.P * sizeof(T));
        if (p.parts.has_memory_cell()) {
            memcpy(side.grad_cell + slot * p.H,
                   row_or<T>(direction.grad_final_memory_cell, b, p.H, p.zeros),
                   p.H * sizeof(T));
        }
    }

    // Adding many small numbers to one large sum loses digits; a sum of sums loses few.
    void flush() {
        for (int64_t j = 0; j < p.G; ++j) {
            grad_bias[p.G + j] += grad_bias[j];
            grad_bias[j] = 0;
        }
        rows_in_bias = 0;
    }

    void steps(int64_t first, int64_t last) {
        if (first == last) return;
        int64_t end = first;
        for (int64_t s = p.length[row(first)] - 1; s >= 0; --s) {
            while (end < last && p.length[row(end)] > s) begin(end++);
            if (side.packed_hr) project(first, end, s);
            for (int64_t i = first; i < end; ++i) equations(i, s);
            if (side.packed_hh) {
                if (s > 0 || direction.grad_hidden_0) to_previous(first, end, s);
            } else {
                for (int64_t i = first; i < end; ++i) {
                    memset(side.grad_hidden + rows.slot(i) * p.P, 0, p.P * sizeof(T));
                }
            }
        }
    }

    const T* grad_output(int64_t i, int64_t s) const {
        if (!p.layer.grad_outputs) return nullptr;
        const int64_t b = row(i);
        return static_cast<const T*>(p.layer.grad_outputs) +
               p.time(direction, b, s) * p.layer.grad_outputs_stride_t +
               b * p.layer.grad_outputs_stride_b + d * p.P;
    }

    void equations(int64_t i, int64_t s) {
        const int64_t b = row(i), slot = rows.slot(i);
        StepBackward<T> step = {};
        step.gates = gates(i, s);
        if (p.parts.has_memory_cell()) {
            step.cell = cell(i, s);
            step.previous_cell = cell(i, s - 1);
            step.grad_cell = side.grad_cell + slot * p.H;
        }
        if (side.packed_hr) {
            step.grad_hidden = side.grad_raw + slot * p.H;
            if (side.raw_hidden) step.hidden = side.raw_hidden + position(i, s) * p.H;
        } else {
            step.grad_hidden = side.grad_hidden + slot * p.P;
            step.grad_output = grad_output(i, s);
        }
        step.grad_bias = grad_bias;
        step_backward(p.parts, step);
        if (grad_bias && ++rows_in_bias == 32) flush();
        if (side.seen && s > 0) {
            copy_masked<T>(side.seen + position(i, s) * p.P,
                           p.output(d, p.time(direction, b, s - 1), b),
                           row_or<T>(direction.hidden_dropout_mask, b, p.P, nullptr), p.P);
        }
    }

    // Back through h = W_hr h.
    void project(int64_t first, int64_t end, int64_t s) {
        for (int64_t i = first; i < end; ++i) {
            const T* hidden = side.grad_hidden + rows.slot(i) * p.P;
            const T* output = grad_output(i, s);
            T* sum = side.grad_output + position(i, s) * p.P;
            for (int64_t j = 0; j < p.P; ++j) sum[j] = hidden[j] + (output ? output[j] : T(0));
            sources[i] = sum;
            targets[i] = side.grad_raw + rows.slot(i) * p.H;
        }
        multiply_rows<T>(end - first, sources + first, 0, targets + first, 0, side.packed_hr,
                         tile_columns<T>() * p.P, p.P, p.H, Start::FROM_ZERO);
    }

    // The gradient of h_{t-1}: that of the sums times W_hh.
    void to_previous(int64_t first, int64_t end, int64_t s) {
        for (int64_t i = first; i < end; ++i) {
            sources[i] = gates(i, s);
            targets[i] = side.grad_hidden + rows.slot(i) * p.P;
        }
        const T* packed = side.packed_hh;
        for (int64_t r = 0; r < p.num_runs; ++r) {
            const Run run = p.runs[r];
            multiply_rows<T>(end - first, sources + first, run.input_first, targets + first, 0,
                             packed, tile_columns<T>() * p.K, run.columns, p.P,
                             r ? Start::FROM_TARGET : Start::FROM_ZERO);
            packed += run.columns * tile_columns<T>();
        }
        if (!direction.hidden_dropout_mask) return;
        for (int64_t i = first; i < end; ++i) {
            const T* mask = row_or<T>(direction.hidden_dropout_mask, row(i), p.P, nullptr);
            for (int64_t j = 0; j < p.P; ++j) targets[i][j] *= mask[j];
        }
    }
};

}  // namespace
#endif
