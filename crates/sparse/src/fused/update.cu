// An optimizer's update on an NVIDIA device in one pass: moments, delta, cast, and the write into the weight. The operations
// and their order are those of the update on the CPU, and none is fused with the next, so that equal gradients give equal
// bits.

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned long long u64;
typedef long long i64;

struct Factors {
    float scale, keep_first, keep_second, decay, correction_first, correction_second, epsilon, rate;
    u32 atan2;
};

struct Cast {
    u32 stochastic;
    u64 key;
};

// The finalizer of SplitMix64, as in the program.
__device__ u64 mix(u64 bits) {
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ull;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebull;
    return bits ^ (bits >> 31);
}

struct Float32 {
    typedef float Scalar;
    static __device__ float wide(float value) { return value; }
    static __device__ float narrow(float value, Cast, i64) { return value; }
};

struct Bfloat16 {
    typedef u16 Scalar;
    static __device__ float wide(u16 value) { return __uint_as_float(u32(value) << 16); }
    static __device__ u16 narrow(float value, Cast cast, i64 position) {
        const u32 bits = __float_as_uint(value);
        if (cast.stochastic) return u16((bits + u32(mix(cast.key ^ mix(position)) & 0xffff)) >> 16);
        if (isnan(value)) return u16(bits >> 16 | 0x40);
        return u16((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
};

struct Float16 {
    typedef u16 Scalar;
    static __device__ float wide(u16 value) {
        float result;
        asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value));
        return result;
    }
    static __device__ u16 narrow(float value, Cast, i64) {
        u16 result;
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result) : "f"(value));
        return result;
    }
};

// As in the program: the polynomial of Cephes' atanf.
__device__ float arc_tangent(float numerator, float denominator) {
    const float size = fabsf(numerator);
    const bool above = size > __fmul_rn(2.4142136f, denominator), middle = size > __fmul_rn(0.41421357f, denominator);
    const float base = above ? 1.57079632679489662f : middle ? 0.785398163397448310f : 0.0f;
    const float top = above ? -denominator : middle ? __fsub_rn(size, denominator) : size;
    const float bottom = above ? size : middle ? __fadd_rn(size, denominator) : denominator;
    const float x = __fdiv_rn(top, bottom == 0.0f ? 1.0f : bottom);
    const float z = __fmul_rn(x, x);
    float series = __fadd_rn(__fmul_rn(8.0537446e-2f, z), -1.3877686e-1f);
    series = __fadd_rn(__fmul_rn(series, z), 1.9977711e-1f);
    series = __fadd_rn(__fmul_rn(series, z), -3.333295e-1f);
    return copysignf(__fadd_rn(base, __fadd_rn(__fmul_rn(__fmul_rn(series, z), x), x)), numerator);
}

template <class Dtype>
__device__ void update(typename Dtype::Scalar *weight, const typename Dtype::Scalar *original, const i64 *indices,
                       float *delta, float *first, float *second, const float *gradient, i64 count, Factors factors,
                       Cast cast) {
    const i64 at = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (at >= count) return;
    const float g = __fmul_rn(gradient[at], factors.scale);
    float m = first[at], v = second[at], d = delta[at];
    m = __fadd_rn(m, __fmul_rn(factors.keep_first, __fsub_rn(g, m)));
    v = __fadd_rn(v, __fmul_rn(factors.keep_second, __fsub_rn(__fmul_rn(g, g), v)));
    const float root = __fdiv_rn(__fsqrt_rn(v), factors.correction_second);
    const float change = factors.atan2 ? arc_tangent(__fdiv_rn(m, factors.correction_first), root)
                                       : __fdiv_rn(m, __fadd_rn(root, factors.epsilon));
    d = __fsub_rn(__fmul_rn(d, factors.decay), __fmul_rn(change, factors.rate));
    first[at] = m;
    second[at] = v;
    delta[at] = d;
    weight[indices[at]] = Dtype::narrow(__fadd_rn(Dtype::wide(original[at]), d), cast, at);
}

#define UPDATE(name, Dtype)                                                                                           \
    extern "C" __global__ void name(Dtype::Scalar *weight, const Dtype::Scalar *original, const i64 *indices,         \
                                    float *delta, float *first, float *second, const float *gradient, i64 count,      \
                                    float scale, float keep_first, float keep_second, float decay,                    \
                                    float correction_first, float correction_second, float epsilon, float rate,       \
                                    u32 atan2, u32 stochastic, u64 key) {                                             \
        update<Dtype>(weight, original, indices, delta, first, second, gradient, count,                               \
                      {scale, keep_first, keep_second, decay, correction_first, correction_second, epsilon, rate,     \
                       atan2},                                                                                        \
                      {stochastic, key});                                                                             \
    }

UPDATE(update_float32, Float32)
UPDATE(update_bfloat16, Bfloat16)
UPDATE(update_float16, Float16)
