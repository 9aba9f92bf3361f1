// For each anchor the candidate whose vector is nearest to its own, among those that are not too near to the anchor's positive: what
// src/kernels/nearest.rs does. A block of 64 threads has one anchor.
//
// `cross` (batch, anchors, candidates) are products of vectors, `own` (batch, anchors) and `theirs` (batch, candidates) their squares;
// `positive` and `places` are normalized places, `out` (batch, anchors, 2) the place that is chosen. Where no candidate is at least `least`
// away, the farthest is.
KERNEL hardest(const S *cross, const S *own, const S *theirs, const S *positive, const S *places, S *out, int anchors, int candidates,
               double across, double down, double least) {
    __shared__ T far[64], near[64];
    __shared__ int farthest[64], nearest[64];
    int t = threadIdx.x;
    long long anchor = blockIdx.x, sample = anchor / anchors;
    T mine = get(own[anchor]), px = get(positive[2 * anchor]), py = get(positive[2 * anchor + 1]);
    T best = T(0), gap = T(-1), bound = T(least) * T(least);
    int chosen = -1, last = -1;
    for (int j = t; j < candidates; j += 64) {
        long long other = sample * candidates + j;
        T dx = (px - get(places[2 * other])) * T(across), dy = (py - get(places[2 * other + 1])) * T(down);
        T d = dx * dx + dy * dy;
        // A place may be far outside, and squares must stay comparable.
        if (!(d < T(1e30))) d = T(1e30);
        if (d > gap) gap = d, last = j;
        if (d < bound) continue;
        T square = mine + get(theirs[other]) - T(2) * get(cross[anchor * candidates + j]);
        if (square < T(0)) square = T(0);
        if (chosen < 0 || square < best) best = square, chosen = j;
    }
    far[t] = gap;
    near[t] = best;
    farthest[t] = last;
    nearest[t] = chosen;
    __syncthreads();
    if (t > 0) return;
    // The first of several, as if all had been looked at in their order.
    for (int k = 1; k < 64; k++) {
        if (farthest[k] >= 0 && (far[k] > gap || (far[k] == gap && farthest[k] < last))) gap = far[k], last = farthest[k];
        bool sooner = near[k] < best || (near[k] == best && nearest[k] < chosen);
        if (nearest[k] >= 0 && (chosen < 0 || sooner)) best = near[k], chosen = nearest[k];
    }
    const S *from = places + 2 * (sample * candidates + (chosen >= 0 ? chosen : last));
    out[2 * anchor] = from[0];
    out[2 * anchor + 1] = from[1];
}
