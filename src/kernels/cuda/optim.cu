// One step of an optimizer for one weight, and the length of gradients.

// Sums of squares in f64: each block of 256 threads leaves one.
KERNEL squares(const S *x, double *out, int count) {
    __shared__ double sums[256];
    double sum = 0;
    for (long long i = own(); i < count; i += (long long)gridDim.x * blockDim.x) sum += (double)get(x[i]) * (double)get(x[i]);
    sums[threadIdx.x] = sum;
    for (int half = 128; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) out[blockIdx.x] = sums[0];
}

__device__ inline bool broken(T x) { return !(x - x == T(0)); }

// As Adam::block in src/engine/optim/rules.rs. `lost` is raised where a weight or its second moment is not finite.
KERNEL adam(const S *weight, const S *grad, const S *m, const S *v, S *out, S *next_m, S *next_v, unsigned int *lost, double first,
            double second, double rest, double eps, double keep, double decay, double length, double root, int count) {
    long long i = own();
    if (i >= count) return;
    T w = get(weight[i]), g = get(grad[i]);
    g = g + T(decay) * w;
    T mean = get(m[i]), square = get(v[i]);
    mean += (g - mean) * T(first);
    square = square * T(second) + T(rest) * g * g;
    T y = w * T(keep) - T(length) * mean / (sqrt(square) / T(root) + T(eps));
    put(next_m + i, mean);
    put(next_v + i, square);
    put(out + i, y);
    if (broken(y) || broken(square)) *lost = 1;
}
