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
    const T* bias;    // null, or what to start from
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

// One left factor by each of the terms.
template <typename T>
class Product {
   public:
    Product(Operand<T> a, const Term<T>* terms, int64_t count, Range m, T* scratch)
        : a(a),
          terms(terms),
          count(count),
          m(m),
          packed_a(scratch),
          packed_b(scratch + depth_block<T>() * ROW_BLOCK + width<T>()) {
        for (int64_t t = 0; t < count; ++t) panels += terms[t].panels();
        few_rows = m.size() <= ROW_BLOCK;
        packs_a = a.transposed || panels > FEW_PANELS || rows_collide(a.rows, m);
    }

    void run(int64_t depth) {
        for (int64_t t = 0; t < count; ++t) {
            if (terms[t].first_depth >= depth) without_depth(terms[t], m);
        }
        const int64_t panel_block = few_rows ? panels : COLUMN_BLOCK / NR;
        for (int64_t first = 0; first < panels; first += panel_block) {
            range = {first, smaller(first + panel_block, panels)};
            for (k = 0; k < depth; k += block) {
                // Two halves and not a whole and a remainder.
                const int64_t left = depth - k;
                block = left <= KC ? left : left < 2 * KC ? (left + 1) / 2 : KC;
                if (!few_rows) {
                    each_panel(terms, count, range,
                               [&](const Term<T>& term, int64_t p, Range columns) {
                                   pack(term, columns, packed_b + p * NR * block);
                               });
                }
                for (int64_t row = m.first; row < m.end; row += ROW_BLOCK) {
                    multiply_rows(row, smaller(ROW_BLOCK, m.end - row));
                }
            }
        }
    }

   private:
    static constexpr int64_t NR = tile_columns<T>(), KC = depth_block<T>();
    const Operand<T> a;
    const Term<T>* const terms;
    const int64_t count;
    const Range m;
    T *const packed_a, *const packed_b;
    int64_t panels = 0;
    bool few_rows;  // then a panel is used once, and need not outlive the first cache
    bool packs_a;   // not worth it where few panels read it
    Range range;    // the panels at hand, and the depth
    int64_t k, block;

    // How much of this block of depth a term leaves out.
    int64_t skipped(const Term<T>& term) const { return larger(term.first_depth - k, 0); }

    void pack(const Term<T>& term, Range columns, T* panel) const {
        const int64_t skip = skipped(term);
        if (skip >= block) return;
        pack_panel(term.b.rows, term.b.transposed, k + skip, block - skip, columns.first,
                   columns.size(), panel);
    }

    Start start_of(const Term<T>& term) const {
        if (term.accumulate || k > term.first_depth) return Start::FROM_TARGET;
        return term.bias ? Start::FROM_BIAS : Start::FROM_ZERO;
    }

    // A block of rows by all panels at hand.
    void multiply_rows(int64_t row, int64_t rows) const {
        const Tiles tiles(rows);
        const T* from[ROW_BLOCK];
        T* to[ROW_BLOCK];
        if (packs_a) {
            pack_tiles(a.rows, a.transposed, k, block, row, tiles, packed_a);
        } else {
            for (int64_t i = 0; i < rows; ++i) from[i] = a.rows(row + i) + k;
        }
        const Term<T>* term_of_to = nullptr;
        each_panel(terms, count, range, [&](const Term<T>& term, int64_t p, Range columns) {
            const int64_t skip = skipped(term);
            if (skip >= block) return;
            if (term_of_to != &term) {
                for (int64_t i = 0; i < rows; ++i) to[i] = term.target(row + i);
                term_of_to = &term;
            }
            T* panel = few_rows ? packed_b : packed_b + p * NR * block;
            if (few_rows) pack(term, columns, panel);
            const T* next = few_rows ? panel : panel + NR * block;
            const T* bias = term.bias ? term.bias + columns.first : nullptr;
            const Left<T> left = {packed_a, block, from, skip};
            const Start start = start_of(term);
            if (packs_a) {
                multiply_panel<true>(tiles, left, panel, block - skip, to, columns.first,
                                     columns.size(), start, bias, next);
            } else {
                multiply_panel<false>(tiles, left, panel, block - skip, to, columns.first,
                                      columns.size(), start, bias, next);
            }
        });
    }
};

// Rows `m` of the left factor by each of the terms.
template <typename T>
void multiply(Operand<T> a, const Term<T>* terms, int64_t count, Range m, int64_t depth,
              T* scratch) {
    Product<T>(a, terms, count, m, scratch).run(depth);
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
