// Products of a few rows, as in a decoder's step: dot products of rows, straight from where they lie.
// Each element of the weights is used so few times that packing them would cost more than it gives.
#ifndef GATED_FEW_H
#define GATED_FEW_H

#include "pack.h"

namespace {

constexpr int64_t FEW_ROWS = 4;

template <typename T>
GATED_INLINE T sum_of(Vector<T> value) {
    T sum = 0;
    for (int64_t i = 0; i < width<T>(); ++i) sum += value[i];
    return sum;
}

// The products of ROWS rows with COLUMNS rows of the transposed factor, the first of them `column`.
template <int ROWS, int COLUMNS, typename T>
GATED_INLINE void dot_products(const T* const* rows, const Rows<const T>& b, int64_t column,
                               int64_t depth, T* const* target, bool accumulate, const T* bias) {
    constexpr int64_t W = width<T>();
    const T* right[COLUMNS];
    Vector<T> sum[ROWS][COLUMNS];
    for (int c = 0; c < COLUMNS; ++c) right[c] = b(column + c);
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 4
        for (int c = 0; c < COLUMNS; ++c) sum[r][c] = Vector<T>{};
    }
    for (int64_t k = 0; k < depth; k += W) {
        const bool whole = k + W <= depth;
        auto vector = [&](const T* from) {
            return whole ? load(from + k) : load_first(from + k, depth - k);
        };
        Vector<T> left[ROWS];
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; ++r) left[r] = vector(rows[r]);
#pragma GCC unroll 4
        for (int c = 0; c < COLUMNS; ++c) {
            const Vector<T> value = vector(right[c]);
#pragma GCC unroll 4
            for (int r = 0; r < ROWS; ++r) sum[r][c] += left[r] * value;
        }
    }
    for (int r = 0; r < ROWS; ++r) {
        for (int c = 0; c < COLUMNS; ++c) {
            T& to = target[r][column + c];
            to = sum_of<T>(sum[r][c]) + (accumulate ? to : bias ? bias[column + c] : T(0));
        }
    }
}

template <int ROWS, typename T>
void multiply_few_rows(const T* const* rows, const Rows<const T>& b, int64_t first, int64_t end,
                       int64_t depth, T* const* target, bool accumulate, const T* bias) {
    constexpr int COLUMNS = ROWS > 2 ? 2 : 4;  // as many sums as there are registers for
    int64_t column = first;
    for (; column + COLUMNS <= end; column += COLUMNS) {
        dot_products<ROWS, COLUMNS>(rows, b, column, depth, target, accumulate, bias);
    }
    for (; column < end; ++column) {
        dot_products<ROWS, 1>(rows, b, column, depth, target, accumulate, bias);
    }
}

// target(i, n) = start + sum over k of row i's k-th times the k-th of b's row n, first <= n < end.
template <typename T>
void multiply_few(int64_t count, const T* const* rows, const Rows<const T>& b, int64_t first,
                  int64_t end, int64_t depth, T* const* target, bool accumulate, const T* bias) {
#define GATED_FEW(ROWS)                                                                \
    case ROWS:                                                                         \
        multiply_few_rows<ROWS>(rows, b, first, end, depth, target, accumulate, bias); \
        break
    switch (count) {
        GATED_FEW(1);
        GATED_FEW(2);
        GATED_FEW(3);
        GATED_FEW(4);
    }
#undef GATED_FEW
}

}  // namespace
#endif
