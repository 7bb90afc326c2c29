/* The distance between the true class of each position and the predicted ones, and its gradient by the logits.
 *
 * Distances are relative to that of the most likely class k, so confident predictions do not cancel:
 * delta = M[y][k] + e, e = sum of p_c (M[y][c] - M[y][k]), and the derivative by x_c is p_c (M[y][c] - M[y][k] - e).
 */
#pragma once
#include "call.h"
#include "maths.h"

/* W positions, of which the first `len` are valid; columns of x and gradient are `step` apart. */
INLINE int wasserstein_positions(const Wasserstein *w, const float *x, const int64_t *y, float *gradient, int64_t step,
                                 int len, float *e, double *sums) {
    const int64_t C = w->C;
    vf base = all(-INFINITY);
    vi largest = {0}, row, label;
    for (int64_t c = 0; c < C; c++) {
        vf v = load(x + c * step);
        vm more = lt(base, v);
        base = pick(more, v, base);
        largest = (vi)pick(more, (vf)all_int((int32_t)c), (vf)largest);
    }
    int bad = 0;
    for (int i = 0; i < W; i++) {
        int64_t at = i < len ? y[i] : 0;
        bad |= at < 0 || at >= C;
        label[i] = (int32_t)at;
    }
    if (bad) return 1;
    row = label * (int32_t)C;
    const vf nearest = gather(w->distances, row + largest);
    vf sum = {0}, apart = {0};
    for (int64_t c = 0; c < C; c++) {
        vf p = exp_below(load(x + c * step) - base);
        vf far = gather(w->distances, row + (int32_t)c) - nearest;
        sum += p, apart = fma_(p, far, apart);
        store(e + 2 * c * W, p), store(e + (2 * c + 1) * W, far);
    }
    const vf scale = 1.0f / sum;
    apart *= scale;
    const vf wrong = nearest + apart;
    for (int i = 0; i < len; i++) {
        sums[0] += wrong[i];
        sums[1] += label[i] ? 0.0 : wrong[i];
        sums[2] += label[i] != 0;
    }
    if (gradient)
        for (int64_t c = 0; c < C; c++)
            store(gradient + c * step, load(e + 2 * c * W) * scale * (load(e + (2 * c + 1) * W) - apart));
    return 0;
}

/* Adds distances, distances at background and foreground positions of `first` to `last` of a sample to `sums`. */
static int wasserstein_kernel(const Wasserstein *w, int64_t n, int64_t first, int64_t last, float *memory,
                              double *sums) {
    const int64_t C = w->C, S = w->S;
    const float *x = w->input + n * C * S;
    const int64_t *y = w->target + n * S;
    float *gradient = w->gradient ? w->gradient + n * C * S : 0;
    float *e = memory, *columns = memory + 2 * C * W, *slopes = columns + C * W;
    int64_t i = first;
    int bad = 0;
    for (; i + W <= last; i += W)
        bad |= wasserstein_positions(w, x + i, y + i, gradient ? gradient + i : 0, S, W, e, sums);
    if (i == last) return bad;
    const int len = (int)(last - i);
    for (int64_t c = 0; c < C; c++)
        for (int k = 0; k < W; k++) columns[c * W + k] = k < len ? x[c * S + i + k] : 0.0f;
    bad |= wasserstein_positions(w, columns, y + i, gradient ? slopes : 0, W, len, e, sums);
    if (gradient && !bad)
        for (int64_t c = 0; c < C; c++) memcpy(gradient + c * S + i, slopes + c * W, (size_t)len * sizeof(float));
    return bad;
}
