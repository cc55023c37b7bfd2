// Matrix products: one register-blocked tile, and a blocked product around it for the large ones.
//
// Why not a library: rows are addressed through an index, so that padding is neither read nor
// computed and nothing is gathered first; and the step of a recurrence multiplies the same small
// matrix over and over, which wants it packed once. See benchmarks/products.py for the comparison.
#ifndef GATED_PRODUCT_H
#define GATED_PRODUCT_H

#include "simd.h"

namespace {

constexpr int64_t TILE_ROWS = GATED_TILE_ROWS;

// Columns of a tile: two vectors.
template <typename T>
constexpr int64_t tile_columns() {
    return 2 * width<T>();
}

// Blocks of a large product: a panel of B stays in the first cache, a block of A in the second. So
// many columns at a time that A, which is packed again for each block of them, mostly is packed once.
template <typename T>
constexpr int64_t depth_block() {
    return 1024 / sizeof(T);
}
constexpr int64_t ROW_BLOCK = 96;
constexpr int64_t COLUMN_BLOCK = 2048;

GATED_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
GATED_INLINE int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// The rows of a matrix, at a stride or wherever `offset` says.
template <typename T>
struct Rows {
    T* base;
    int64_t stride;
    const int64_t* offset;

    GATED_INLINE T* operator()(int64_t row) const {
        return base + (offset ? offset[row] : row * stride);
    }
};

enum class Start { FROM_ZERO, FROM_BIAS, FROM_TARGET };

// target[i][0..2 vectors) = start + sum over k of a(i, k) * panel[k]. `a` is packed as (depth, ROWS),
// or each row has its own address in `rows`.
template <int ROWS, bool PACKED, typename T>
void tile(const T* a, const T* const* rows, const T* panel, int64_t depth, T* const* target,
          Start start, const T* bias) {
    constexpr int64_t W = width<T>();
    Vector<T> left[ROWS], right[ROWS];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
        left[i] = right[i] = Vector<T>{};
        if (start != Start::FROM_ZERO) {
            const T* from = start == Start::FROM_BIAS ? bias : target[i];
            left[i] = load(from);
            right[i] = load(from + W);
        }
    }
    for (int64_t k = 0; k < depth; ++k) {
        const Vector<T> b_left = load(panel + k * 2 * W), b_right = load(panel + k * 2 * W + W);
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; ++i) {
            const Vector<T> value = broadcast<T>(PACKED ? a[k * ROWS + i] : rows[i][k]);
            left[i] += value * b_left;
            right[i] += value * b_right;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
        store(target[i], left[i]);
        store(target[i] + W, right[i]);
    }
}

// `CASE(n);` for each height n that a tile may have.
#if GATED_TILE_ROWS > 6
#define GATED_EACH_HEIGHT(CASE)                                                              \
    CASE(1); CASE(2); CASE(3); CASE(4); CASE(5); CASE(6);                                    \
    CASE(7); CASE(8); CASE(9); CASE(10); CASE(11); CASE(12);
#else
#define GATED_EACH_HEIGHT(CASE) CASE(1); CASE(2); CASE(3); CASE(4); CASE(5); CASE(6);
#endif

template <bool PACKED, typename T>
void whole_tile(int64_t count, const T* a, const T* const* rows, const T* panel, int64_t depth,
                T* const* target, Start start, const T* bias) {
#define GATED_TILE(ROWS)                                                                    \
    case ROWS:                                                           \
        tile<ROWS, PACKED>(a, rows, panel, depth, target, start, bias); \
        break
    switch (count) { GATED_EACH_HEIGHT(GATED_TILE) }
#undef GATED_TILE
}

// The same for a panel that may hold fewer columns: they go through a tile of their own.
template <bool PACKED, typename T>
GATED_INLINE void tile_of(int64_t count, const T* a, const T* const* rows, const T* panel,
                          int64_t depth, T* const* target, int64_t columns, Start start,
                          const T* bias) {
    constexpr int64_t NR = tile_columns<T>();
    if (columns == NR) {
        whole_tile<PACKED>(count, a, rows, panel, depth, target, start, bias);
        return;
    }
    T edge[TILE_ROWS * NR];
    T* edges[TILE_ROWS];
    memset(edge, 0, sizeof edge);
    for (int64_t i = 0; i < count; ++i) {
        edges[i] = edge + i * NR;
        if (start != Start::FROM_ZERO) {
            memcpy(edges[i], start == Start::FROM_BIAS ? bias : target[i], columns * sizeof(T));
        }
    }
    whole_tile<PACKED>(count, a, rows, panel, depth, edges, Start::FROM_TARGET, bias);
    for (int64_t i = 0; i < count; ++i) memcpy(target[i], edges[i], columns * sizeof(T));
}

// Splits `rows` into as few tiles as possible, of nearly equal heights: 32 = 6 + 6 + 5 + 5 + 5 + 5.
struct Tiles {
    int64_t count, height, taller;

    explicit Tiles(int64_t rows)
        : count((rows + TILE_ROWS - 1) / TILE_ROWS),
          height(count ? rows / count : 0),
          taller(count ? rows % count : 0) {}
    GATED_INLINE int64_t rows_of(int64_t i) const { return height + (i < taller); }
};

// Packs columns [first, first + columns) of a (depth, ...) matrix as one panel, filled up with zeros.
// Element (k, n) is row k's n-th, or where `transposed` row n's k-th.
template <typename T>
void pack_panel(Rows<const T> matrix, bool transposed, int64_t first_depth, int64_t depth,
                int64_t first, int64_t columns, T* panel) {
    constexpr int64_t NR = tile_columns<T>();
    if (!transposed && columns == NR) {
        for (int64_t k = 0; k < depth; ++k) {
            memcpy(panel + k * NR, matrix(first_depth + k) + first, NR * sizeof(T));
        }
        return;
    }
    if (columns < NR) memset(panel, 0, depth * NR * sizeof(T));
    if (!transposed) {
        for (int64_t k = 0; k < depth; ++k) {
            memcpy(panel + k * NR, matrix(first_depth + k) + first, columns * sizeof(T));
        }
        return;
    }
    constexpr int64_t W = width<T>();
    for (int64_t n = 0; n < columns;) {
        const int64_t whole = n + W <= columns ? depth / W * W : 0;
        for (int64_t k = 0; k < whole; k += W) {
            Vector<T> square[W];
#pragma GCC unroll 16
            for (int64_t i = 0; i < W; ++i) {
                square[i] = load(matrix(first + n + i) + first_depth + k);
            }
            transpose<T>(square);
#pragma GCC unroll 16
            for (int64_t i = 0; i < W; ++i) store(panel + (k + i) * NR + n, square[i]);
        }
        for (const int64_t end = smaller(n + W, columns); n < end; ++n) {
            const T* row = matrix(first + n) + first_depth;
            for (int64_t k = whole; k < depth; ++k) panel[k * NR + n] = row[k];
        }
    }
}

// Packs rows [first, first + ROWS) and depth [first_depth, ...) as a tile's (depth, ROWS). Writes up
// to a vector's width beyond the tile's end, where the next tile will be.
template <int ROWS, typename T>
void pack_tile(Rows<const T> matrix, bool transposed, int64_t first_depth, int64_t depth,
               int64_t first, T* packed) {
    if (transposed) {
        for (int64_t k = 0; k < depth; ++k) {
            memcpy(packed + k * ROWS, matrix(first_depth + k) + first, ROWS * sizeof(T));
        }
        return;
    }
    constexpr int64_t W = width<T>();
    const T* row[ROWS];
    for (int i = 0; i < ROWS; ++i) row[i] = matrix(first + i) + first_depth;
    int64_t k = 0;
    if (ROWS <= W) {
        for (; k + W <= depth; k += W) {
            Vector<T> square[W] = {};
#pragma GCC unroll 16
            for (int i = 0; i < ROWS; ++i) square[i] = load(row[i] + k);
            transpose<T>(square);
            // Each writes more than its own ROWS elements, and the next one mends that.
#pragma GCC unroll 16
            for (int64_t i = 0; i < W; ++i) store(packed + (k + i) * ROWS, square[i]);
        }
    }
    for (; k < depth; ++k) {
        for (int i = 0; i < ROWS; ++i) packed[k * ROWS + i] = row[i][k];
    }
}

// Elements of scratch that `multiply` needs for itself.
template <typename T>
constexpr int64_t multiply_scratch() {
    return depth_block<T>() * (ROW_BLOCK + COLUMN_BLOCK + tile_columns<T>()) + width<T>();
}

// An operand: its rows, and whether the product takes it transposed.
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

// One packed panel's share of a product: its columns, from `column` on, of all rows of the tiles.
template <typename T>
GATED_INLINE void multiply_panel(const Tiles& tiles, const T* packed_a, const T* panel,
                                 int64_t depth, Rows<T> target, int64_t row, int64_t column,
                                 int64_t columns, Start start, const T* bias) {
    for (int64_t i = 0, at = 0; i < tiles.count; at += tiles.rows_of(i), ++i) {
        T* to[TILE_ROWS];
        const int64_t height = tiles.rows_of(i);
        for (int64_t r = 0; r < height; ++r) to[r] = target(row + at + r) + column;
        tile_of<true>(height, packed_a + at * depth, static_cast<const T* const*>(nullptr), panel,
                      depth, to, columns, start, bias ? bias + column : bias);
    }
}

template <typename T>
GATED_INLINE void pack_tiles(const Operand<T>& a, const Tiles& tiles, int64_t k, int64_t depth,
                             int64_t row, T* packed) {
    for (int64_t i = 0, at = 0; i < tiles.count; at += tiles.rows_of(i), ++i) {
#define GATED_PACK(ROWS)                                                                   \
    case ROWS:                                                                             \
        pack_tile<ROWS>(a.rows, a.transposed, k, depth, row + at, packed + at * depth); \
        break
        switch (tiles.rows_of(i)) { GATED_EACH_HEIGHT(GATED_PACK) }
#undef GATED_PACK
    }
}

// target(m, n) = start + sum over k < depth of a(m, k) b(k, n), for those ranges of m and n.
template <typename T>
void multiply(Operand<T> a, Operand<T> b, Rows<T> target, Range m, Range n, int64_t depth,
              const T* bias, bool accumulate, T* scratch) {
    constexpr int64_t NR = tile_columns<T>(), KC = depth_block<T>();
    T* packed_a = scratch;
    T* packed_b = scratch + KC * ROW_BLOCK + width<T>();
    if (depth == 0 && !accumulate) {
        for (int64_t row = m.first; row < m.end; ++row) {
            T* to = target(row);
            for (int64_t j = n.first; j < n.end; ++j) to[j] = bias ? bias[j] : T(0);
        }
    }
    // With few rows a panel is used once: it need not outlive the first cache.
    const bool few_rows = m.size() <= ROW_BLOCK;
    const int64_t column_block = few_rows ? n.size() : COLUMN_BLOCK;
    for (int64_t column = n.first; column < n.end; column += column_block) {
        const int64_t columns = smaller(column_block, n.end - column);
        for (int64_t k = 0; k < depth;) {
            // Two halves and not a whole and a remainder.
            const int64_t left = depth - k;
            const int64_t block = left <= KC ? left : left < 2 * KC ? (left + 1) / 2 : KC;
            Start start = bias ? Start::FROM_BIAS : Start::FROM_ZERO;
            if (accumulate || k > 0) start = Start::FROM_TARGET;
            auto pack_b = [&](int64_t j, T* panel) {
                pack_panel(b.rows, b.transposed, k, block, column + j, smaller(NR, columns - j),
                           panel);
            };
            for (int64_t j = 0; !few_rows && j < columns; j += NR) pack_b(j, packed_b + j * block);
            for (int64_t row = m.first; row < m.end; row += ROW_BLOCK) {
                const Tiles tiles(smaller(ROW_BLOCK, m.end - row));
                pack_tiles(a, tiles, k, block, row, packed_a);
                for (int64_t j = 0; j < columns; j += NR) {
                    T* panel = few_rows ? packed_b : packed_b + j * block;
                    if (few_rows) pack_b(j, panel);
                    multiply_panel<T>(tiles, packed_a, panel, block, target, row, column + j,
                                      smaller(NR, columns - j), start, bias);
                }
            }
            k += block;
        }
    }
}

}  // namespace
#endif
