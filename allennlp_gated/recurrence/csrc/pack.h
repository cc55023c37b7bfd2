// The order in which tiles read their factors: panels of columns, and tiles of rows.
#ifndef GATED_PACK_H
#define GATED_PACK_H

#include "tile.h"

namespace {

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

// How many rows early to fetch what is read a piece of a row at a time: the processor's own prefetcher
// follows a row, and not a column of them.
constexpr int64_t FETCH_AHEAD = 8;

// Packs columns [first, first + columns) of a (depth, ...) matrix as one panel, filled up with zeros.
// Element (k, n) is row k's n-th, or where `transposed` row n's k-th.
template <typename T>
void pack_panel(Rows<const T> matrix, bool transposed, int64_t first_depth, int64_t depth,
                int64_t first, int64_t columns, T* panel) {
    constexpr int64_t NR = tile_columns<T>();
    if (!transposed && columns == NR) {
        for (int64_t k = 0; k < depth; ++k) {
            if (k + FETCH_AHEAD < depth) {
                __builtin_prefetch(matrix(first_depth + k + FETCH_AHEAD) + first);
            }
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

// Packs rows [first, first + ROWS) of a (..., depth) matrix as one tile, (depth, ROWS). Writes up to a
// vector's width beyond the tile's end, where the next tile will be. Fetches the rows of that one, of
// which `later` exist.
template <int ROWS, typename T>
void pack_tile(Rows<const T> matrix, int64_t first_depth, int64_t depth, int64_t first,
               int64_t later, T* packed) {
    constexpr int64_t W = width<T>(), LINE = 64 / static_cast<int64_t>(sizeof(T));
    const T* row[ROWS];
    const T* next[ROWS];
    for (int i = 0; i < ROWS; ++i) {
        row[i] = matrix(first + i) + first_depth;
        next[i] = later > i ? matrix(first + ROWS + i) + first_depth : row[i];
    }
    int64_t k = 0;
    if (ROWS <= W) {
        for (; k + W <= depth; k += W) {
            for (int i = 0; k % LINE == 0 && i < ROWS; ++i) __builtin_prefetch(next[i] + k);
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

// The same for all tiles together, HEIGHT rows or one more each, of a (depth, ...) matrix: element
// (row, k) is row k's. Each row of the matrix is read once.
template <int HEIGHT, typename T>
void pack_transposed(Rows<const T> matrix, int64_t first_depth, int64_t depth, int64_t first,
                     const Tiles& tiles, T* packed) {
    const int64_t rows = tiles.count * HEIGHT + tiles.taller;
    T* const lower = packed + tiles.taller * (HEIGHT + 1) * depth;
    for (int64_t k = 0; k < depth; ++k) {
        const T* row = matrix(first_depth + k) + first;
        if (k + FETCH_AHEAD < depth) {
            const T* later = matrix(first_depth + k + FETCH_AHEAD) + first;
            for (int64_t j = 0; j < rows; j += 64 / sizeof(T)) __builtin_prefetch(later + j);
        }
        T* to = packed + k * (HEIGHT + 1);
        int64_t i = 0;
        for (; i < tiles.taller; ++i, row += HEIGHT + 1, to += (HEIGHT + 1) * depth) {
            memcpy(to, row, (HEIGHT + 1) * sizeof(T));
        }
        to = lower + k * HEIGHT;
        for (; i < tiles.count; ++i, row += HEIGHT, to += HEIGHT * depth) {
            memcpy(to, row, HEIGHT * sizeof(T));
        }
    }
}

// Packs all tiles of rows [first, ...).
template <typename T>
void pack_tiles(Rows<const T> matrix, bool transposed, int64_t first_depth, int64_t depth,
                int64_t first, const Tiles& tiles, T* packed) {
    if (transposed) {
#define GATED_PACK(HEIGHT)                                                         \
    case HEIGHT:                                                                   \
        pack_transposed<HEIGHT>(matrix, first_depth, depth, first, tiles, packed); \
        break
        switch (tiles.height) { GATED_EACH_HEIGHT(GATED_PACK) }
#undef GATED_PACK
        return;
    }
    const int64_t rows = tiles.count * tiles.height + tiles.taller;
    for (int64_t i = 0, at = 0; i < tiles.count; at += tiles.rows_of(i), ++i) {
#define GATED_PACK(ROWS)                                                          \
    case ROWS:                                                                    \
        pack_tile<ROWS>(matrix, first_depth, depth, first + at, rows - at - ROWS, \
                        packed + at * depth);                                     \
        break
        switch (tiles.rows_of(i)) { GATED_EACH_HEIGHT(GATED_PACK) }
#undef GATED_PACK
    }
}

}  // namespace
#endif
