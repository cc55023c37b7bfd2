// Large matrix products, blocked for the caches.
//
// Why not a library: rows are addressed through an index, so that padding is neither read nor
// computed and nothing is gathered first; and the step of a recurrence multiplies the same small
// matrix over and over, which wants it packed once. See benchmarks/products.py for the comparison.
#ifndef GATED_PRODUCT_H
#define GATED_PRODUCT_H

#include "few.h"
#include "pack.h"

namespace {

// A panel of B stays in the first cache, a block of A in the second. So many columns at a time that A,
// which is packed again for each block of them, mostly is packed once.
template <typename T>
constexpr int64_t depth_block() {
    return 1024 / sizeof(T);
}
constexpr int64_t ROW_BLOCK = 96;
constexpr int64_t COLUMN_BLOCK = 2048;
constexpr int64_t FEW_PANELS = 16;

// Elements of scratch that `multiply` needs for itself.
template <typename T>
constexpr int64_t multiply_scratch() {
    return depth_block<T>() * (ROW_BLOCK + COLUMN_BLOCK) + width<T>();
}

// A factor: its rows, and whether the product takes it transposed.
template <typename T>
struct Operand {
    Rows<const T> rows;
    bool transposed;
};

struct Range {
    int64_t first, end;
    GATED_INLINE int64_t size() const { return end - first; }
};

// The share of part `part` of `parts` of `total` things, in multiples of `unit`.
GATED_INLINE Range share(int64_t total, int64_t unit, int64_t part, int64_t parts) {
    const int64_t units = (total + unit - 1) / unit;
    return {smaller(units * part / parts * unit, total),
            smaller(units * (part + 1) / parts * unit, total)};
}

// What the left factor is multiplied by, and where to: target(m, n) = start + sum of a(m, k) b(k, n)
// for those columns n, over the depth from `first_depth` on.
template <typename T>
struct Term {
    Operand<T> b;
    Rows<T> target;
    Range columns;
    const T* bias;  // null, or what to start from
    bool accumulate;  // whether to start from the target
    int64_t first_depth;

    GATED_INLINE int64_t panels() const {
        return (columns.size() + tile_columns<T>() - 1) / tile_columns<T>();
    }
};

// Whether rows at such a distance meet in the same few lines of a cache, and push each other out.
template <typename T>
GATED_INLINE bool rows_collide(const Rows<const T>& rows, Range m) {
    if (m.size() < 2) return false;
    const int64_t bytes = (rows(m.first + 1) - rows(m.first)) * static_cast<int64_t>(sizeof(T));
    return bytes % 1024 == 0;
}

// Calls `use(term, panel, columns)` for each panel whose number, counted over all terms, is in `range`;
// `panel` counts from the range's first, and `columns` are the columns of the term's that it holds.
template <typename T, typename Use>
GATED_INLINE void each_panel(const Term<T>* terms, int64_t count, Range range, Use use) {
    int64_t before = 0;
    for (int64_t t = 0; t < count; ++t) {
        const int64_t panels = terms[t].panels();
        const int64_t end = smaller(range.end - before, panels);
        for (int64_t p = larger(range.first - before, 0); p < end; ++p) {
            const int64_t column = terms[t].columns.first + p * tile_columns<T>();
            use(terms[t], before + p - range.first,
                Range{column, smaller(column + tile_columns<T>(), terms[t].columns.end)});
        }
        before += panels;
    }
}

// Where there is no depth at all, what the sums start from is what they are.
template <typename T>
void without_depth(const Term<T>& term, Range m) {
    for (int64_t row = m.first; !term.accumulate && row < m.end; ++row) {
        T* to = term.target(row);
        for (int64_t j = term.columns.first; j < term.columns.end; ++j) {
            to[j] = term.bias ? term.bias[j] : T(0);
        }
    }
}

// Rows `m` of one left factor by each of the terms.
template <typename T>
void multiply(Operand<T> a, const Term<T>* terms, int64_t count, Range m, int64_t depth,
              T* scratch) {
    constexpr int64_t NR = tile_columns<T>(), KC = depth_block<T>();
    T* packed_a = scratch;
    T* packed_b = scratch + KC * ROW_BLOCK + width<T>();
    int64_t panels = 0;
    for (int64_t t = 0; t < count; ++t) {
        panels += terms[t].panels();
        if (terms[t].first_depth >= depth) without_depth(terms[t], m);
    }
    // Read by few panels, A is not worth packing.
    const bool pack_a = a.transposed || panels > FEW_PANELS || rows_collide(a.rows, m);
    // With few rows a panel is used once: it need not outlive the first cache.
    const bool few_rows = m.size() <= ROW_BLOCK;
    const int64_t panel_block = few_rows ? panels : COLUMN_BLOCK / NR;
    for (int64_t first = 0; first < panels; first += panel_block) {
        const Range range = {first, smaller(first + panel_block, panels)};
        for (int64_t k = 0; k < depth;) {
            // Two halves and not a whole and a remainder.
            const int64_t left = depth - k;
            const int64_t block = left <= KC ? left : left < 2 * KC ? (left + 1) / 2 : KC;
            auto pack_b = [&](const Term<T>& term, Range columns, T* panel) {
                const int64_t skip = larger(term.first_depth - k, 0);
                if (skip >= block) return;
                pack_panel(term.b.rows, term.b.transposed, k + skip, block - skip, columns.first,
                           columns.size(), panel);
            };
            if (!few_rows) {
                each_panel(terms, count, range, [&](const Term<T>& term, int64_t p, Range columns) {
                    pack_b(term, columns, packed_b + p * NR * block);
                });
            }
            for (int64_t row = m.first; row < m.end; row += ROW_BLOCK) {
                const int64_t rows = smaller(ROW_BLOCK, m.end - row);
                const Tiles tiles(rows);
                const T* from[ROW_BLOCK];
                T* to[ROW_BLOCK];
                const Term<T>* term_of_to = nullptr;
                if (pack_a) {
                    pack_tiles(a.rows, a.transposed, k, block, row, tiles, packed_a);
                } else {
                    for (int64_t i = 0; i < rows; ++i) from[i] = a.rows(row + i) + k;
                }
                each_panel(terms, count, range, [&](const Term<T>& term, int64_t p, Range columns) {
                    const int64_t skip = larger(term.first_depth - k, 0);
                    if (skip >= block) return;
                    if (term_of_to != &term) {
                        for (int64_t i = 0; i < rows; ++i) to[i] = term.target(row + i);
                        term_of_to = &term;
                    }
                    T* panel = few_rows ? packed_b : packed_b + p * NR * block;
                    if (few_rows) pack_b(term, columns, panel);
                    const T* next = few_rows ? panel : panel + NR * block;
                    const bool begun = term.accumulate || k > term.first_depth;
                    const Start start = begun       ? Start::FROM_TARGET
                                        : term.bias ? Start::FROM_BIAS
                                                    : Start::FROM_ZERO;
                    const T* bias = term.bias ? term.bias + columns.first : nullptr;
                    const Left<T> factor = {packed_a, block, from, skip};
                    if (pack_a) {
                        multiply_panel<true>(tiles, factor, panel, block - skip, to, columns.first,
                                             columns.size(), start, bias, next);
                    } else {
                        multiply_panel<false>(tiles, factor, panel, block - skip, to,
                                              columns.first, columns.size(), start, bias, next);
                    }
                });
            }
            k += block;
        }
    }
}

// The same with one term.
template <typename T>
void multiply(Operand<T> a, Operand<T> b, Rows<T> target, Range m, Range columns, int64_t depth,
              const T* bias, bool accumulate, T* scratch) {
    if (m.size() <= FEW_ROWS && b.transposed && !a.transposed) {
        const T* rows[FEW_ROWS];
        T* to[FEW_ROWS];
        for (int64_t i = 0; i < m.size(); ++i) {
            rows[i] = a.rows(m.first + i);
            to[i] = target(m.first + i);
        }
        multiply_few(m.size(), rows, b.rows, columns.first, columns.end, depth, to, accumulate,
                     bias);
        return;
    }
    const Term<T> term = {b, target, columns, bias, accumulate, 0};
    multiply(a, &term, 1, m, depth, scratch);
}

}  // namespace
#endif
