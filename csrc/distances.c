/* Exact Euclidean distances to the nearest position outside a mask, dimension by dimension: the squares along a line
 * are the lower envelope of parabolas (Felzenszwalb and Huttenlocher 2012, "Distance Transforms of Sampled Functions").
 */
#include "memory.h"
#include "parallel.h"
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LEAST_POSITIONS 16384 /* per thread, at least */

typedef struct {
    double *squares; /* (outer, size, inner), in place */
    int64_t outer, size, inner;
    double spacing;
    int64_t pieces;
    atomic_llong short_of_memory;
} Pass;

/* Squares along one line of n values `stride` apart. `from`, `vertex` and `until` have n elements each. */
static void lower_envelope(double *line, int64_t n, int64_t stride, double spacing, double *from, double *until,
                           int64_t *vertex) {
    int64_t last = -1; /* index of the last parabola of the envelope */
    for (int64_t i = 0; i < n; i++) {
        from[i] = line[i * stride];
        if (from[i] == INFINITY) continue;
        const double height = from[i] + spacing * spacing * (double)i * (double)i;
        for (; last >= 0; last--) {
            const double v = (double)vertex[last], other = from[vertex[last]] + spacing * spacing * v * v;
            const double crossing = (height - other) / (2 * spacing * spacing * ((double)i - v));
            if (last > 0 && crossing <= until[last - 1]) continue;
            until[last] = crossing;
            break;
        }
        vertex[++last] = i;
    }
    if (last < 0) return; /* infinite along the whole line */
    for (int64_t i = 0, k = 0; i < n; i++) {
        while (k < last && until[k] < (double)i) k++;
        const double away = spacing * (double)(i - vertex[k]);
        line[i * stride] = away * away + from[vertex[k]];
    }
}

static void pass_piece(void *given, int64_t piece) {
    Pass *pass = given;
    const int64_t n = pass->size, lines = pass->outer * pass->inner;
    double *from, *until;
    int64_t *vertex;
    void *memory = ALLOCATE_ARRAYS({&from, n * 8}, {&until, n * 8}, {&vertex, n * 8});
    if (!memory) {
        atomic_store(&pass->short_of_memory, 1);
        return;
    }
    for (int64_t i = lines * piece / pass->pieces; i < lines * (piece + 1) / pass->pieces; i++) {
        double *line = pass->squares + i / pass->inner * n * pass->inner + i % pass->inner;
        lower_envelope(line, n, pass->inner, pass->spacing, from, until, vertex);
    }
    free(memory);
}

/* Masks (outer, sizes...) to the distance from each position to the nearest one outside the mask; 0 outside, and
 * everywhere if no position is outside. Returns 1 if memory is short, else 0. */
int64_t losskit_distances(const uint8_t *mask, double *distances, int64_t outer, const int64_t *sizes,
                          const double *spacing, int64_t dims, int64_t threads) {
    int64_t count = outer, inner = 1;
    for (int64_t d = 0; d < dims; d++) count *= sizes[d];
    for (int64_t i = 0; i < count; i++) distances[i] = mask[i] ? INFINITY : 0.0;
    for (int64_t d = dims - 1; d >= 0; d--) {
        if (!sizes[d]) return 0;
        Pass pass = {.squares = distances, .size = sizes[d], .inner = inner, .spacing = spacing[d]};
        pass.outer = count / (sizes[d] * inner);
        pass.pieces = count / LEAST_POSITIONS + 1 < threads ? count / LEAST_POSITIONS + 1 : threads;
        losskit_parallel(pass.pieces, pass.pieces, pass_piece, &pass);
        if (atomic_load(&pass.short_of_memory)) return 1;
        inner *= sizes[d];
    }
    for (int64_t i = 0; i < count; i++) distances[i] = distances[i] == INFINITY ? 0.0 : sqrt(distances[i]);
    return 0;
}
