// One tile of a matrix product: a few rows by one panel of columns, summed up in registers.
#ifndef GATED_TILE_H
#define GATED_TILE_H

#include "simd.h"

namespace {

constexpr int64_t TILE_ROWS = GATED_TILE_ROWS;

// Columns of a panel: two vectors.
template <typename T>
constexpr int64_t tile_columns() {
    return 2 * width<T>();
}

GATED_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
GATED_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
GATED_INLINE int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// Splits `rows` into as few tiles as possible, of nearly equal heights: 32 = 6 + 6 + 5 + 5 + 5 + 5.
struct Tiles {
    int64_t count, height, taller;

    explicit Tiles(int64_t rows)
        : count((rows + TILE_ROWS - 1) / TILE_ROWS),
          height(count ? rows / count : 0),
          taller(count ? rows % count : 0) {}
    GATED_INLINE int64_t rows_of(int64_t i) const { return height + (i < taller); }
};

// The rows of the left factor. Packed, a tile of n rows lies as (depth, n), one tile after the other;
// else each row has its own address. A product may begin later in their depth, after `skip`.
template <typename T>
struct Left {
    const T* packed;
    int64_t packed_depth;
    const T* const* rows;
    int64_t skip;
};

// What to fetch into the first cache while a tile is computed: a part of the panel that comes next.
// The processor's own prefetcher starts only when somebody waits for it.
template <typename T>
struct Ahead {
    const T* from;
    int64_t step;  // for each step of depth
};

enum class Start { FROM_ZERO, FROM_BIAS, FROM_TARGET };

// Steps of depth at a time. More would need more registers than there are; the baseline has fewer.
constexpr int64_t DEPTH_STEP = GATED_VECTOR_BYTES > 16 ? 2 : 1;

// target[i][column...) = start + sum over k of a(i, k) * panel[k], for as many columns as VECTORS
// hold. `a` is packed and begins at its first element, or `rows` at the first of its rows.
template <int ROWS, int VECTORS, bool PACKED, typename T>
void tile(const T* a, const T* const* rows, int64_t skip, const T* panel, int64_t depth,
          T* const* target, int64_t column, Start start, const T* bias, Ahead<T> next) {
    constexpr int64_t W = width<T>(), NR = tile_columns<T>();
    const T* row[ROWS];
    T* to[ROWS];
    Vector<T> sum[ROWS][VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
        if (!PACKED) row[i] = rows[i] + skip;
        to[i] = target[i] + column;
        __builtin_prefetch(to[i], 1);
        __builtin_prefetch(to[i] + VECTORS * W - 1, 1);
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v) sum[i][v] = Vector<T>{};
    }
    auto add = [&](int64_t k) {
        Vector<T> b[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v) b[v] = load(panel + k * NR + v * W);
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; ++i) {
            const Vector<T> value = broadcast<T>(PACKED ? a[k * ROWS + i] : row[i][k]);
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; ++v) sum[i][v] += value * b[v];
        }
    };
    int64_t k = 0;
    for (; k + DEPTH_STEP <= depth; k += DEPTH_STEP) {
        __builtin_prefetch(next.from + k * next.step);
        add(k);
        if (DEPTH_STEP == 2) add(k + 1);
    }
    if (DEPTH_STEP == 2 && k < depth) add(k);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
        const T* from = start == Start::FROM_BIAS ? bias : to[i];
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v) {
            if (start != Start::FROM_ZERO) sum[i][v] += load(from + v * W);
            store(to[i] + v * W, sum[i][v]);
        }
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

template <int VECTORS, bool PACKED, typename T>
void tile_of(int64_t height, const T* a, const T* const* rows, int64_t skip, const T* panel,
             int64_t depth, T* const* target, int64_t column, Start start, const T* bias,
             Ahead<T> next) {
#define GATED_TILE(ROWS)                                                                      \
    case ROWS:                                                                                \
        tile<ROWS, VECTORS, PACKED>(a, rows, skip, panel, depth, target, column, start, bias, \
                                    next);                                                    \
        break
    switch (height) { GATED_EACH_HEIGHT(GATED_TILE) }
#undef GATED_TILE
}

// The same for a panel that may hold fewer columns: they go through a tile of their own.
template <bool PACKED, typename T>
GATED_INLINE void edge_tile(int64_t height, const T* a, const T* const* rows, int64_t skip,
                            const T* panel, int64_t depth, T* const* target, int64_t column,
                            int64_t columns, Start start, const T* bias, Ahead<T> next) {
    constexpr int64_t NR = tile_columns<T>();
    T edge[TILE_ROWS * NR];
    T* edges[TILE_ROWS];
    memset(edge, 0, sizeof edge);
    for (int64_t i = 0; i < height; ++i) {
        edges[i] = edge + i * NR;
        if (start != Start::FROM_ZERO) {
            memcpy(edges[i], start == Start::FROM_BIAS ? bias : target[i] + column,
                   columns * sizeof(T));
        }
    }
    const auto compute = columns <= width<T>() ? tile_of<1, PACKED, T> : tile_of<2, PACKED, T>;
    compute(height, a, rows, skip, panel, depth, edges, 0, Start::FROM_TARGET, bias, next);
    for (int64_t i = 0; i < height; ++i) {
        memcpy(target[i] + column, edges[i], columns * sizeof(T));
    }
}

// All rows of the tiles by one panel of `columns` columns, which go to `column` on of the targets.
// `bias` is what belongs to the panel's columns. Fetches `next`, the panel that will be needed then.
template <bool PACKED, typename T>
GATED_INLINE void multiply_panel(const Tiles& tiles, Left<T> left, const T* panel, int64_t depth,
                                 T* const* targets, int64_t column, int64_t columns, Start start,
                                 const T* bias, const T* next) {
    constexpr int64_t NR = tile_columns<T>();
    if (!tiles.count) return;
    const int64_t part = depth * NR / tiles.count;
    Ahead<T> ahead = {next, NR / tiles.count};
    for (int64_t i = 0, at = 0; i < tiles.count; at += tiles.rows_of(i), ++i) {
        const int64_t height = tiles.rows_of(i);
        const T* a = PACKED ? left.packed + at * left.packed_depth + left.skip * height : nullptr;
        const T* const* rows = PACKED ? nullptr : left.rows + at;
        if (columns == NR) {
            tile_of<2, PACKED>(height, a, rows, left.skip, panel, depth, targets + at, column,
                               start, bias, ahead);
        } else {
            edge_tile<PACKED>(height, a, rows, left.skip, panel, depth, targets + at, column,
                              columns, start, bias, ahead);
        }
        ahead.from += part;
    }
}

}  // namespace
#endif
