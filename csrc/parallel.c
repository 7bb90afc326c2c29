/* Uses the threads of PyTorch: Python passes its OpenMP runtime, so nothing is linked and there is no second pool. */
#include "parallel.h"
#include <stdatomic.h>
#if !defined(_WIN32)
#include <pthread.h>
#endif

typedef void (*Start)(void (*)(void *), void *, unsigned, unsigned);

static Start start;    /* GOMP_parallel; null: single-threaded */
static atomic_int forked; /* OpenMP threads do not survive a fork */

typedef struct {
    atomic_llong next;
    int64_t count;
    void (*work)(void *, int64_t);
    void *context;
} Queue;

static void drain(void *given) {
    Queue *queue = given;
    for (;;) {
        int64_t i = atomic_fetch_add(&queue->next, 1);
        if (i >= queue->count) return;
        queue->work(queue->context, i);
    }
}

#if !defined(_WIN32)
static void in_child(void) { atomic_store(&forked, 1); }
#endif

void losskit_use_threads_of(void *gomp_parallel) {
    start = (Start)gomp_parallel;
#if !defined(_WIN32)
    pthread_atfork(0, 0, in_child);
#endif
}

void losskit_parallel(int64_t count, int64_t threads, void (*work)(void *, int64_t), void *context) {
    Queue queue = {.count = count, .work = work, .context = context};
    atomic_init(&queue.next, 0);
    if (threads > count) threads = count;
    if (start && threads > 1 && !atomic_load(&forked))
        start(drain, &queue, (unsigned)threads, 0);
    else
        drain(&queue);
}
