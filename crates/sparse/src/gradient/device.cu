// The sampled product on an NVIDIA device: g[n] = sum over t of dy[t, i] * x[t, j], for the n-th index i * width + j.
//
// A block takes some rows of the weight, whose scalars are neighbours among the sorted indices, and some of the tokens. It
// brings a slab of tokens at a time into shared memory, transposed into units of 16 bytes of a column, and every thread adds
// the slab's products to the sums of its scalars, which stay in its registers. So a column is read from the device's memory
// once for all scalars of the block that want it, and reads of shared memory are 16 bytes wide. Where several blocks share
// the tokens, each writes its own sums, and a second kernel adds them in a fixed order: the result never depends on chance.

typedef unsigned int u32;
typedef unsigned short u16;
typedef long long i64;

constexpr int THREADS = 512;
// Scalars of a thread; places and sums fill half of its registers.
constexpr int ITEMS = 16;
// In no block of columns.
constexpr u32 NOWHERE = 0xffffffffu;

struct Float32 {
    typedef u32 Scalar;
    static constexpr int TOKENS = 4;
    static __device__ float add(u32 a, u32 b, float sum) {
        return fmaf(__uint_as_float(a), __uint_as_float(b), sum);
    }
};

struct Bfloat16 {
    typedef u16 Scalar;
    static constexpr int TOKENS = 8;
    static __device__ float low(u32 pair) { return __uint_as_float(pair << 16); }
    static __device__ float high(u32 pair) { return __uint_as_float(pair & 0xffff0000u); }
    static __device__ float add(u32 a, u32 b, float sum) {
        return fmaf(high(a), high(b), fmaf(low(a), low(b), sum));
    }
};

struct Float16 {
    typedef u16 Scalar;
    static constexpr int TOKENS = 8;
    static __device__ float2 wide(u32 pair) {
        float2 both;
        asm("{ .reg .f16 low, high; mov.b32 {low, high}, %2; cvt.f32.f16 %0, low; cvt.f32.f16 %1, high; }"
            : "=f"(both.x), "=f"(both.y)
            : "r"(pair));
        return both;
    }
    static __device__ float add(u32 a, u32 b, float sum) {
        float2 left = wide(a), right = wide(b);
        return fmaf(left.y, right.y, fmaf(left.x, right.x, sum));
    }
};

// A row-major matrix [tokens, width], from some token and column on.
template <class Scalar> struct Matrix {
    const Scalar *values;
    i64 width;
};

__device__ u32 lows(u32 first, u32 second) { return __byte_perm(first, second, 0x5410); }
__device__ u32 highs(u32 first, u32 second) { return __byte_perm(first, second, 0x7632); }

// Four tokens of each column, one by one; behind the last token there are zeros.
__device__ void transpose(uint4 *tile, int pitch, Matrix<u32> from, int columns, int tokens, int units) {
#pragma unroll 1
    for (int unit = 0; unit < units; ++unit)
#pragma unroll 1
        for (int column = threadIdx.x; column < columns; column += THREADS) {
            u32 value[4];
            for (int t = 0; t < 4; ++t) {
                int token = 4 * unit + t;
                value[t] = token < tokens ? from.values[token * from.width + column] : 0;
            }
            tile[unit * pitch + column] = make_uint4(value[0], value[1], value[2], value[3]);
        }
}

// Eight tokens of each column; where columns lie in pairs, two columns at a time.
__device__ void transpose(uint4 *tile, int pitch, Matrix<u16> from, int columns, int tokens, int units) {
    const bool paired = from.width % 2 == 0;
    const u32 *pairs = reinterpret_cast<const u32 *>(from.values);
    const int step = paired ? 2 : 1;
#pragma unroll 1
    for (int unit = 0; unit < units; ++unit)
#pragma unroll 1
        for (int column = step * threadIdx.x; column < columns; column += step * THREADS) {
            u32 value[8];
            for (int t = 0; t < 8; ++t) {
                int token = 8 * unit + t;
                i64 place = token * from.width + column;
                value[t] = token >= tokens ? 0 : paired ? pairs[place / 2] : from.values[place];
            }
            uint4 *to = tile + unit * pitch + column;
            to[0] = make_uint4(lows(value[0], value[1]), lows(value[2], value[3]), lows(value[4], value[5]),
                               lows(value[6], value[7]));
            if (paired)
                to[1] = make_uint4(highs(value[0], value[1]), highs(value[2], value[3]), highs(value[4], value[5]),
                                   highs(value[6], value[7]));
        }
}

// How many of the sorted indices are smaller than the key. All lanes of a warp look together.
__device__ i64 smaller(const i64 *indices, i64 count, i64 key) {
    i64 from = 0, to = count;
    const int lane = threadIdx.x % 32;
    while (from < to) {
        i64 step = (to - from + 31) / 32;
        i64 probe = from + (lane + 1) * step - 1;
        u32 less = __ballot_sync(0xffffffffu, probe < to && indices[probe] < key);
        from += __popc(less) * step;
        i64 bound = from + step - 1;
        to = to < bound ? to : bound;
    }
    return from;
}

template <class Dtype> struct Task {
    const typename Dtype::Scalar *x, *dy;
    const i64 *indices;
    float *sums;
    i64 count, tokens, width, height;
    // Tokens of a block; rows of a block; columns that it holds at a time.
    int group, rows, columns;
};

// UNITS: how many it holds of a column.
template <class Dtype, int UNITS> __device__ void sampled(Task<Dtype> task) {
    extern __shared__ uint4 tiles[];
    __shared__ i64 range[2];
    typedef Matrix<typename Dtype::Scalar> Operand;
    constexpr int SLAB = UNITS * Dtype::TOKENS;
    const i64 first_row = i64(blockIdx.x) * task.rows;
    const i64 first_token = i64(blockIdx.y) * task.group;
    const int rows = min(i64(task.rows), task.height - first_row);
    const int all_tokens = min(i64(task.group), task.tokens - first_token);
    uint4 *x_tile = tiles, *dy_tile = tiles + UNITS * task.columns;

    if (threadIdx.x < 64) {
        const int end = threadIdx.x / 32;
        i64 found = smaller(task.indices, task.count, (first_row + (end ? rows : 0)) * task.width);
        if (threadIdx.x % 32 == 0) range[end] = found;
    }
    __syncthreads();
    const i64 begin = range[0];
    const int scalars = range[1] - begin;

    for (int pass = 0; pass < scalars; pass += THREADS * ITEMS) {
        u32 places[ITEMS];
        float sums[ITEMS];
#pragma unroll
        for (int item = 0; item < ITEMS; ++item) {
            const int at = pass + item * THREADS + threadIdx.x;
            sums[item] = 0;
            places[item] = NOWHERE;
            if (at < scalars) {
                // Below 2^28: at most 4096 rows of 65,534 columns.
                const u32 index = task.indices[begin + at] - first_row * task.width;
                const u32 row = index / u32(task.width);
                places[item] = row << 16 | (index - row * u32(task.width));
            }
        }
        const int items = min(ITEMS, (scalars - pass + THREADS - 1) / THREADS);
        for (int token = 0; token < all_tokens; token += SLAB) {
            const i64 from = first_token + token;
            const int tokens = min(SLAB, all_tokens - token);
            for (int column = 0; column < task.width; column += task.columns) {
                const int columns = min(task.columns, int(task.width) - column);
                __syncthreads();
                if (column == 0)
                    transpose(dy_tile, task.rows, Operand{task.dy + from * task.height + first_row, task.height}, rows,
                              tokens, UNITS);
                transpose(x_tile, task.columns, Operand{task.x + from * task.width + column, task.width}, columns,
                          tokens, UNITS);
                __syncthreads();
#pragma unroll
                for (int item = 0; item < ITEMS; ++item) {
                    const u32 here = (places[item] & 0xffff) - u32(column);
                    if (item < items && here < u32(columns)) {
                        const uint4 *of_x = x_tile + here, *of_dy = dy_tile + (places[item] >> 16);
#pragma unroll
                        for (int unit = 0; unit < UNITS; ++unit) {
                            const uint4 a = of_x[unit * task.columns], b = of_dy[unit * task.rows];
                            sums[item] = Dtype::add(a.x, b.x, sums[item]);
                            sums[item] = Dtype::add(a.y, b.y, sums[item]);
                            sums[item] = Dtype::add(a.z, b.z, sums[item]);
                            sums[item] = Dtype::add(a.w, b.w, sums[item]);
                        }
                    }
                }
            }
        }
#pragma unroll
        for (int item = 0; item < ITEMS; ++item) {
            const int at = pass + item * THREADS + threadIdx.x;
            if (at < scalars) task.sums[blockIdx.y * task.count + begin + at] = sums[item];
        }
    }
}

#define SAMPLED(name, Dtype, UNITS)                                                                                   \
    extern "C" __global__ void __launch_bounds__(THREADS, 2)                                                          \
        name(const Dtype::Scalar *x, const Dtype::Scalar *dy, const i64 *indices, float *sums, i64 count, i64 tokens, \
             i64 width, i64 height, int group, int rows, int columns) {                                               \
        sampled<Dtype, UNITS>({x, dy, indices, sums, count, tokens, width, height, group, rows, columns});            \
    }

SAMPLED(float32_1, Float32, 1)
SAMPLED(float32_2, Float32, 2)
SAMPLED(bfloat16_1, Bfloat16, 1)
SAMPLED(bfloat16_2, Bfloat16, 2)
SAMPLED(float16_1, Float16, 1)
SAMPLED(float16_2, Float16, 2)

// Adds the sums of all groups of tokens.
extern "C" __global__ void add_groups(const float *sums, float *gradient, i64 count, i64 groups) {
    const i64 at = i64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (at >= count) return;
    float sum = 0;
    for (i64 group = 0; group < groups; ++group) sum += sums[group * count + at];
    gradient[at] = sum;
}
