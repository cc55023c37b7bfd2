// Vectors of one instruction set, by the vector extensions of GCC and Clang, and the two functions
// that the equations need.
//
// Everything here and in the headers that include it lives in an unnamed namespace and uses nothing
// of the standard library's templates: each instruction set compiles its own copy, and the linker
// must never be free to merge a copy made for AVX-512 into the one made for an older processor.
#ifndef GATED_SIMD_H
#define GATED_SIMD_H

#include <stdint.h>
#include <string.h>
#if GATED_VECTOR_BYTES > 16
#include <immintrin.h>
#endif

#define GATED_INLINE inline __attribute__((always_inline))

namespace {

template <typename T>
struct Simd;

template <>
struct Simd<float> {
    typedef float Vector __attribute__((vector_size(GATED_VECTOR_BYTES)));
    typedef uint32_t Bits __attribute__((vector_size(GATED_VECTOR_BYTES)));
    static constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    static constexpr float LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
    static constexpr float LARGEST = 87.0f;  // exp of it, and of its negative, is a normal number
    static constexpr float TANH_IS_ONE = 10.0f;
    static constexpr int MANTISSA = 23, EXPONENT_BIAS = 127, TERMS = 7;
};

template <>
struct Simd<double> {
    typedef double Vector __attribute__((vector_size(GATED_VECTOR_BYTES)));
    typedef uint64_t Bits __attribute__((vector_size(GATED_VECTOR_BYTES)));
    static constexpr double ROUND = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double LN2_HIGH = 6.93147180369123816490e-01;
    static constexpr double LN2_LOW = 1.90821492927058770002e-10;
    static constexpr double LARGEST = 707.0;
    static constexpr double TANH_IS_ONE = 20.0;
    static constexpr int MANTISSA = 52, EXPONENT_BIAS = 1023, TERMS = 13;
};

template <typename T>
using Vector = typename Simd<T>::Vector;

// Elements in a vector.
template <typename T>
constexpr int64_t width() {
    return GATED_VECTOR_BYTES / sizeof(T);
}

template <typename T>
GATED_INLINE Vector<T> load(const T* from) {
    Vector<T> value;
    memcpy(&value, from, sizeof value);
    return value;
}

template <typename T>
GATED_INLINE void store(T* to, Vector<T> value) {
    memcpy(to, &value, sizeof value);
}

// The first `count` elements of a vector, fewer than it has; the others are zero.
#if GATED_VECTOR_BYTES == 64
GATED_INLINE Vector<float> load_first(const float* from, int64_t count) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}
GATED_INLINE Vector<double> load_first(const double* from, int64_t count) {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from);
}
#elif GATED_VECTOR_BYTES == 32
GATED_INLINE Vector<float> load_first(const float* from, int64_t count) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), index);
    return _mm256_maskload_ps(from, mask);
}
GATED_INLINE Vector<double> load_first(const double* from, int64_t count) {
    const __m256i index = _mm256_setr_epi64x(0, 1, 2, 3);
    return _mm256_maskload_pd(from, _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), index));
}
#else
template <typename T>
GATED_INLINE Vector<T> load_first(const T* from, int64_t count) {
    Vector<T> value = {};
    for (int64_t i = 0; i < width<T>(); ++i) {
        if (i < count) value[i] = from[i];
    }
    return value;
}
#endif

template <int64_t SIZE, typename T>
GATED_INLINE void store_piece(T** to, const T** from, int64_t count) {
    if (count & SIZE) {
        memcpy(*to, *from, SIZE * sizeof(T));
        *to += SIZE, *from += SIZE;
    }
}

// In pieces of 8, 4, 2 and 1: some processors take tens of cycles for a masked store.
template <typename T>
GATED_INLINE void store_first(T* to, Vector<T> value, int64_t count) {
    T all[width<T>()];
    store(all, value);
    const T* from = all;
    if (width<T>() > 8) store_piece<8>(&to, &from, count);
    if (width<T>() > 4) store_piece<4>(&to, &from, count);
    if (width<T>() > 2) store_piece<2>(&to, &from, count);
    store_piece<1>(&to, &from, count);
}

// Whole vectors, or the last `count` elements of a row.
template <bool WHOLE, typename T>
GATED_INLINE Vector<T> load_part(const T* from, int64_t count) {
    return WHOLE ? load(from) : load_first(from, count);
}

template <bool WHOLE, typename T>
GATED_INLINE void store_part(T* to, Vector<T> value, int64_t count) {
    if (WHOLE) {
        store(to, value);
    } else {
        store_first(to, value, count);
    }
}

template <typename T>
GATED_INLINE Vector<T> broadcast(T value) {
    return value - Vector<T>{};
}

// The rows of a square become its columns: log2(width) rounds, in each of which the first half of the
// rows is interleaved with the second.
template <typename T>
GATED_INLINE void transpose(Vector<T>* rows) {
    constexpr int W = static_cast<int>(width<T>());
#ifdef __clang__
    T from[W * W], to[W * W];
    memcpy(from, rows, sizeof from);
    for (int i = 0; i < W; ++i) {
        for (int j = 0; j < W; ++j) to[i * W + j] = from[j * W + i];
    }
    memcpy(rows, to, sizeof to);
#else
    typename Simd<T>::Bits low, high;
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) {
        low[i] = i / 2 + i % 2 * W;
        high[i] = W / 2 + i / 2 + i % 2 * W;
    }
    Vector<T> mixed[W];
    for (int round = 1; round < W; round *= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < W / 2; ++i) {
            mixed[2 * i] = __builtin_shuffle(rows[i], rows[i + W / 2], low);
            mixed[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + W / 2], high);
        }
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) rows[i] = mixed[i];
    }
#endif
}

// Comparisons with NaN are false, so NaN goes through.
template <typename T>
GATED_INLINE Vector<T> clamp(Vector<T> value, T bound) {
    const Vector<T> high = broadcast<T>(bound), low = -high;
    value = value > high ? high : value;
    return value < low ? low : value;
}

template <typename T>
constexpr T inverse_factorial(int k) {
    return k <= 1 ? T(1) : inverse_factorial<T>(k - 1) / k;
}

// e^x = scale * (1 + rest), |rest| < 1/2: Cody and Waite's reduction and Taylor's series, whose next
// term is below half a unit in the last place.
template <typename T>
GATED_INLINE void exponential(Vector<T> x, Vector<T>* scale, Vector<T>* rest) {
    typedef Simd<T> S;
    const Vector<T> shifted = x * T(1.4426950408889634074) + S::ROUND;
    const Vector<T> whole = shifted - S::ROUND;
    const Vector<T> r = (x - whole * S::LN2_HIGH) - whole * S::LN2_LOW;
    Vector<T> sum = broadcast<T>(inverse_factorial<T>(S::TERMS));
#pragma GCC unroll 16
    for (int k = S::TERMS - 1; k > 0; --k) sum = sum * r + inverse_factorial<T>(k);
    *rest = sum * r;
    typename S::Bits bits;
    memcpy(&bits, &shifted, sizeof bits);
    // The low bits of `shifted` are the integer; what lies above them is shifted out.
    bits = (bits + S::EXPONENT_BIAS) << S::MANTISSA;
    memcpy(scale, &bits, sizeof bits);
}

template <typename T>
GATED_INLINE Vector<T> sigmoid(Vector<T> x) {
    Vector<T> scale, rest;
    exponential<T>(-clamp<T>(x, Simd<T>::LARGEST), &scale, &rest);
    return T(1) / (T(1) + (scale + scale * rest));
}

// (e^2x - 1) / (e^2x + 1), with e^2x - 1 computed as such: exact to the last bits near zero too.
template <typename T>
GATED_INLINE Vector<T> hyperbolic_tangent(Vector<T> x) {
    Vector<T> scale, rest;
    x = clamp<T>(x, Simd<T>::TANH_IS_ONE);
    exponential<T>(x + x, &scale, &rest);
    const Vector<T> minus_one = scale * rest + (scale - T(1));
    return minus_one / (minus_one + T(2));
}

}  // namespace
#endif
