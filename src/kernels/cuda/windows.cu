// A convolution as a product of matrices: the windows of a map as rows, and rows of gradients added back into a map. Maps lie channels
// last; a row is (side, side, channels), as the weight is laid then.

// Row by row the windows of x: (batch * h * w, side * side * channels). `count` is of the result.
KERNEL windows(const S *x, S *out, int height, int width, int channels, int h, int w, int side, int stride, int pad, int dilation,
               long long count) {
    long long i = own();
    if (i >= count) return;
    int c = i % channels;
    long long rest = i / channels;
    int k = rest % (side * side);
    rest /= side * side;
    int column = rest % w, row = rest / w % h, b = rest / w / h;
    int r = row * stride + k / side * dilation - pad, s = column * stride + k % side * dilation - pad;
    bool inside = r >= 0 && s >= 0 && r < height && s < width;
    out[i] = inside ? x[(((long long)b * height + r) * width + s) * channels + c] : S{};
}

// What `windows` read, with the rows' numbers added up: the gradient of x. `count` is of x.
KERNEL windows_back(const S *rows, S *out, int height, int width, int channels, int h, int w, int side, int stride, int pad,
                    int dilation, long long count) {
    long long i = own();
    if (i >= count) return;
    int c = i % channels, column = i / channels % width, row = i / channels / width % height, b = i / channels / width / height;
    T sum = T(0);
    for (int k = 0; k < side * side; k++) {
        int r = row + pad - k / side * dilation, s = column + pad - k % side * dilation;
        if (r < 0 || s < 0 || r % stride || s % stride || r / stride >= h || s / stride >= w) continue;
        long long at = ((long long)b * h + r / stride) * w + s / stride;
        sum += get(rows[(at * side * side + k) * channels + c]);
    }
    put(out + i, sum);
}

