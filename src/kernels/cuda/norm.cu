// Channels of maps that lie channels last, (batch, cells, channels), taken to mean 0 and variance 1, and the gradient. A block of 32 x 8
// threads has 32 channels of one sample; sums are taken in an order that is always the same.

__device__ inline T total(T own, T (*sums)[32]) {
    __syncthreads();
    sums[threadIdx.y][threadIdx.x] = own;
    __syncthreads();
    T sum = T(0);
    for (int k = 0; k < 8; k++) sum += sums[k][threadIdx.x];
    return sum;
}

KERNEL instance_norm(const S *x, S *out, T *factor, int cells, int channels, double eps) {
    __shared__ T sums[8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    bool mine = c < channels;
    long long base = (long long)blockIdx.y * cells * channels + c;
    T sum = T(0);
    if (mine)
        for (int k = threadIdx.y; k < cells; k += 8) sum += get(x[base + (long long)k * channels]);
    T mean = total(sum, sums) / T(cells);
    sum = T(0);
    if (mine)
        for (int k = threadIdx.y; k < cells; k += 8) {
            T d = get(x[base + (long long)k * channels]) - mean;
            sum += d * d;
        }
    T scale = T(1) / sqrt(total(sum, sums) / T(cells) + T(eps));
    if (!mine) return;
    for (int k = threadIdx.y; k < cells; k += 8) put(out + base + (long long)k * channels, (get(x[base + (long long)k * channels]) - mean) * scale);
    if (threadIdx.y == 0) factor[(long long)blockIdx.y * channels + c] = scale;
}

KERNEL instance_norm_back(const S *value, const T *factor, const S *grad, S *out, int cells, int channels) {
    __shared__ T sums[8][32];
    int c = blockIdx.x * 32 + threadIdx.x;
    bool mine = c < channels;
    long long base = (long long)blockIdx.y * cells * channels + c;
    T sum = T(0), along = T(0);
    if (mine)
        for (int k = threadIdx.y; k < cells; k += 8) {
            T g = get(grad[base + (long long)k * channels]);
            sum += g;
            along += g * get(value[base + (long long)k * channels]);
        }
    T mean = total(sum, sums) / T(cells);
    along = total(along, sums) / T(cells);
    if (!mine) return;
    T scale = factor[(long long)blockIdx.y * channels + c];
    for (int k = threadIdx.y; k < cells; k += 8) {
        long long at = base + (long long)k * channels;
        put(out + at, (get(grad[at]) - mean - get(value[at]) * along) * scale);
    }
}
