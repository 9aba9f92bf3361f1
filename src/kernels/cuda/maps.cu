// Maps that lie channels last, (batch, height, width, channels): what follows a convolution, pooling, and their gradients.

// y + bias by channel; with `relu`, 0 where that is below. What is not a number stays.
KERNEL biased(const S *y, const T *bias, S *out, int channels, int relu, int count) {
    long long i = own();
    if (i >= count) return;
    T x = get(y[i]) + (bias ? bias[i % channels] : T(0));
    put(out + i, relu && x <= T(0) ? T(0) : x);
}

// The same with `relu`, and then the largest of each 2 x 2 cells, with the place of it: 0 to 3, row by row. `count` is of the result.
KERNEL biased_pooled(const S *y, const T *bias, S *out, unsigned char *cells, int height, int width, int channels, int count) {
    long long i = own();
    if (i >= count) return;
    int h = height / 2, w = width / 2;
    int c = i % channels, column = i / channels % w, row = i / channels / w % h, b = i / channels / w / h;
    T shift = bias ? bias[c] : T(0), best = T(0);
    int place = 0;
    for (int k = 0; k < 4; k++) {
        long long at = (((long long)b * height + 2 * row + k / 2) * width + 2 * column + k % 2) * channels + c;
        T x = get(y[at]) + shift;
        x = x <= T(0) ? T(0) : x;
        // What is not a number is chosen: it must not vanish.
        if (k == 0 || x > best || x != x) {
            best = x;
            place = k;
        }
    }
    put(out + i, best);
    cells[i] = (unsigned char)place;
}

// The gradient before a rectifier of this value.
KERNEL relu_back(const S *grad, const S *value, S *out, int count) {
    long long i = own();
    if (i >= count) return;
    put(out + i, get(value[i]) <= T(0) ? T(0) : get(grad[i]));
}

// The gradient before `biased_pooled`; `count` is of the map before it, of height x width.
KERNEL pooled_back(const S *grad, const S *value, const unsigned char *cells, S *out, int height, int width, int channels, int count) {
    long long i = own();
    if (i >= count) return;
    int h = height / 2, w = width / 2;
    int c = i % channels, column = i / channels % width, row = i / channels / width % height, b = i / channels / width / height;
    T x = T(0);
    if (row / 2 < h && column / 2 < w) {
        long long at = (((long long)b * h + row / 2) * w + column / 2) * channels + c;
        if (cells[at] == row % 2 * 2 + column % 2 && !(get(value[at]) <= T(0))) x = get(grad[at]);
    }
    put(out + i, x);
}

// Sums of columns of (rows, columns): each block of 32 x 8 threads sums `per` rows of 32 columns, in an order that is always the same.
// `out` is (blocks along y, columns).
KERNEL column_sums(const S *x, T *out, int rows, int columns, int per) {
    __shared__ T sums[8][32];
    int column = blockIdx.x * 32 + threadIdx.x;
    long long from = (long long)blockIdx.y * per, to = from + per < rows ? from + per : rows;
    T sum = T(0);
    if (column < columns)
        for (long long row = from + threadIdx.y; row < to; row += 8) sum += get(x[row * columns + column]);
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        for (int k = 1; k < 8; k++) sum += sums[k][threadIdx.x];
        out[(long long)blockIdx.y * columns + column] = sum;
    }
}

// The largest of each window and the cell of it, row * width + column; as in `max_pool`, what is not a number is chosen.
KERNEL max_pool(const S *x, S *out, unsigned int *cells, int height, int width, int channels, int h, int w, int side, int stride,
                int pad, int count) {
    long long i = own();
    if (i >= count) return;
    int c = i % channels, column = i / channels % w, row = i / channels / w % h, b = i / channels / w / h;
    T best = T(0);
    int place = -1;
    for (int k = 0; k < side * side; k++) {
        int r = row * stride + k / side - pad, s = column * stride + k % side - pad;
        if (r < 0 || s < 0 || r >= height || s >= width) continue;
        T y = get(x[(((long long)b * height + r) * width + s) * channels + c]);
        if (place < 0 || y > best || y != y) {
            best = y;
            place = r * width + s;
        }
    }
    put(out + i, best);
    cells[i] = (unsigned int)place;
}

// The gradient before `max_pool`: every cell sums over the windows that hold it, in their order. `count` is of x.
KERNEL max_pool_back(const S *grad, const unsigned int *cells, S *out, int height, int width, int channels, int h, int w, int side,
                     int stride, int pad, int count) {
    long long i = own();
    if (i >= count) return;
    int c = i % channels, column = i / channels % width, row = i / channels / width % height, b = i / channels / width / height;
    unsigned int cell = row * width + column;
    T sum = T(0);
    int top = row + pad - side + 1, left = column + pad - side + 1;
    int first = top > 0 ? (top + stride - 1) / stride : 0, begin = left > 0 ? (left + stride - 1) / stride : 0;
    for (int r = first; r < h && r * stride <= row + pad; r++)
        for (int s = begin; s < w && s * stride <= column + pad; s++) {
            long long at = (((long long)b * h + r) * w + s) * channels + c;
            if (cells[at] == cell) sum += get(grad[at]);
        }
    put(out + i, sum);
}

// The other order of the same numbers: (batch, rows, columns) becomes (batch, columns, rows).
KERNEL turned(const S *x, S *out, int rows, int columns) {
    __shared__ S tile[32][33];
    long long base = (long long)blockIdx.z * rows * columns;
    int column = blockIdx.x * 32 + threadIdx.x;
    for (int k = threadIdx.y; k < 32; k += 8) {
        int row = blockIdx.y * 32 + k;
        if (row < rows && column < columns) tile[k][threadIdx.x] = x[base + (long long)row * columns + column];
    }
    __syncthreads();
    int row = blockIdx.y * 32 + threadIdx.x;
    for (int k = threadIdx.y; k < 32; k += 8) {
        int to = blockIdx.x * 32 + k;
        if (row < rows && to < columns) out[base + (long long)to * rows + row] = tile[threadIdx.x][k];
    }
}
