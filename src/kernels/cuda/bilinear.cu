// Reading maps between their cells, bilinear with zeros outside, and the gradients: what src/kernels/bilinear.rs does. Numbers of a map
// are found by strides, `plane` from channel to channel and `cell` from cell to cell, so that maps may lie in either order.

#define RIM 1e-4

struct Axis {
    int cell[2];
    T weight[2];
};

__device__ inline Axis along(T place, int n) {
    Axis a = {{0, 0}, {T(0), T(0)}};
    T last = T(n - 1), rim = T(RIM);
    if (place < T(0) && place >= -rim) place = T(0);
    else if (place > last && place <= last + rim) place = last;
    // Written so that a place that is not a number falls outside, too.
    if (!(place > T(-1) && place < last + T(1))) return a;
    T low = floor(place), high = place - low;
    int i = (int)low;
    if (i >= 0 && i < n) a.cell[0] = i, a.weight[0] = T(1) - high;
    if (i + 1 >= 0 && i + 1 < n) a.cell[1] = i + 1, a.weight[1] = high;
    return a;
}

// The place that cell (i, j) of a result of h x w comes from, in cells of a map of height x width; false behind the horizon. `m` takes
// normalized places to normalized places.
__device__ inline bool moved(const S *m, int i, int j, int h, int w, int height, int width, T *x, T *y) {
    T u = T(2 * i + 1) - T(w), v = T(2 * j + 1) - T(h);
    T sx = T(width) / T(w), sy = T(height) / T(h);
    T a = get(m[0]) * sx * u + get(m[1]) * T((double)width / h) * v + get(m[2]) * T(width);
    T b = get(m[3]) * T((double)height / w) * u + get(m[4]) * sy * v + get(m[5]) * T(height);
    T d = get(m[6]) * T(1.0 / w) * u + get(m[7]) * T(1.0 / h) * v + get(m[8]);
    if (!(d > T(0))) return false;
    *x = (a / d + T(width - 1)) * T(0.5);
    *y = (b / d + T(height - 1)) * T(0.5);
    return true;
}

// The place of a normalized point.
__device__ inline T in_cells(T x, int n) { return ((x + T(1)) * T(n) - T(1)) * T(0.5); }

// Where the numbers of a place come from: by the matrices `by` (batch, 3, 3) if `h` is not 0, else by points (batch, count, 2).
__device__ inline bool from(const S *by, int b, int q, int places, int h, int w, int height, int width, Axis *rows, Axis *columns) {
    T x, y;
    if (h) {
        if (!moved(by + 9 * b, q % w, q / w, h, w, height, width, &x, &y)) return false;
    } else {
        const S *p = by + 2 * ((long long)b * places + q);
        x = in_cells(get(p[0]), width);
        y = in_cells(get(p[1]), height);
    }
    *columns = along(x, width);
    *rows = along(y, height);
    return true;
}

// (batch, places) of x, each with all channels. The result's numbers lie `to_plane` from channel to channel and `to_cell` from place
// to place. `count` is of the result.
KERNEL read_map(const S *x, const S *by, S *out, int channels, int places, int h, int w, int height, int width, int plane, int cell,
            int to_plane, int to_cell, int count) {
    long long i = own();
    if (i >= count) return;
    // Neighboring threads write neighboring numbers.
    int c = to_plane == 1 ? i % channels : i / places % channels, q = to_plane == 1 ? i / channels % places : i % places;
    int b = i / channels / places;
    Axis rows, columns;
    T sum = T(0);
    if (from(by, b, q, places, h, w, height, width, &rows, &columns)) {
        const S *map = x + (long long)b * channels * height * width + (long long)c * plane;
        T part[2];
        for (int k = 0; k < 2; k++) {
            const S *row = map + (long long)rows.cell[k] * width * cell;
            T a = get(row[(long long)columns.cell[0] * cell]) * (rows.weight[k] * columns.weight[0]);
            part[k] = a + get(row[(long long)columns.cell[1] * cell]) * (rows.weight[k] * columns.weight[1]);
        }
        sum = part[0] + part[1];
    }
    put(out + (long long)b * channels * places + (long long)c * to_plane + (long long)q * to_cell, sum);
}

// The transpose: adds `grad` to the cells that were read, in f64, so that the order of additions is lost in rounding. `out` holds zeros.
KERNEL read_map_back(const S *grad, const S *by, double *out, int channels, int places, int h, int w, int height, int width, int plane,
                 int cell, int to_plane, int to_cell, int count) {
    long long i = own();
    if (i >= count) return;
    int c = to_plane == 1 ? i % channels : i / places % channels, q = to_plane == 1 ? i / channels % places : i % places;
    int b = i / channels / places;
    Axis rows, columns;
    if (!from(by, b, q, places, h, w, height, width, &rows, &columns)) return;
    T g = get(grad[(long long)b * channels * places + (long long)c * to_plane + (long long)q * to_cell]);
    double *map = out + (long long)b * channels * height * width + (long long)c * plane;
    for (int k = 0; k < 4; k++) {
        T weight = rows.weight[k / 2] * columns.weight[k % 2];
        if (weight != T(0)) atomicAdd(map + ((long long)rows.cell[k / 2] * width + columns.cell[k % 2]) * cell, (double)(g * weight));
    }
}

// Sums in f64 as numbers of the map's type.
KERNEL settled(const double *x, S *out, int count) {
    long long i = own();
    if (i < count) put(out + i, T(x[i]));
}
