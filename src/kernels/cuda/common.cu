// What every kernel here is written with. It is put before each of the other files, with the type of number they are compiled for:
// `S` is how a number lies in memory, `T` what is computed with. The same text is compiled as C++ by the tests (see shim.h), so nothing
// here knows more of the device than blocks, threads, shared memory, __syncthreads and atomicAdd.
//
// Kernels are named by what they make. Sizes are `int`, as are places; a map has at most 2^31 numbers, which the caller checks.

struct bf16 {
    unsigned short bits;
};

__device__ inline float get(float x) { return x; }
__device__ inline double get(double x) { return x; }
__device__ inline void put(float *at, float x) { *at = x; }
__device__ inline void put(double *at, double x) { *at = x; }

__device__ inline float get(bf16 x) {
    unsigned int bits = (unsigned int)x.bits << 16;
    float y;
    memcpy(&y, &bits, 4);
    return y;
}

// To the nearest, ties to even; what is not a number stays one.
__device__ inline void put(bf16 *at, float x) {
    unsigned int bits;
    memcpy(&bits, &x, 4);
    bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    bits = nan ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u);
    at->bits = (unsigned short)(bits >> 16);
}

// The number of this thread among all of the launch. It may exceed an int only where it exceeds every size.
__device__ inline long long own() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }
