// Numbers of several ranks added up.

// `rows` rows of `count` numbers each, added up in their order, in f64, and rounded once: as `in_order` in src/ranks/numbers.rs.
KERNEL added(const S *all, S *out, int rows, long long count) {
    long long i = own();
    if (i >= count) return;
    double sum = 0;
    for (int row = 0; row < rows; row++) sum += (double)get(all[row * count + i]);
    put(out + i, T(sum));
}
