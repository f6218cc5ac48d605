/* Makes allocations fail: the one with the number that fault.py has written, and some after it. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "preload.h"

/* dlsym() allocates while it looks for the functions that allocate. */
#define EARLY_BYTES ((size_t)64 * 1024)

static struct {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *memory, size_t size);
    void (*free)(void *memory);
    struct control *control;
    _Atomic int state; /* 0: nothing was looked up; 1: somebody does; 2: done */
    _Alignas(16) char early[EARLY_BYTES];
    size_t early_used;
} next;

static void *allocate_early(size_t size)
{
    size_t start = (next.early_used + 15) / 16 * 16;
    if (size > EARLY_BYTES - start) {
        return NULL;
    }
    next.early_used = start + size;
    return next.early + start;
}

static int is_early(const void *memory)
{
    return (const char *)memory >= next.early && (const char *)memory < next.early + EARLY_BYTES;
}

/* Where there is a function to go on with. The first call comes before there is a second thread. */
static int is_ready(void)
{
    int expected = 0;
    if (next.state == 2) {
        return 1;
    }
    if (!atomic_compare_exchange_strong(&next.state, &expected, 1)) {
        return 0;
    }
    *(void **)&next.malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next.free = dlsym(RTLD_NEXT, "free");
    next.state = 2;
    return 1;
}

/* Not before: the first allocations come when there is no environment yet. */
__attribute__((constructor)) static void begin(void)
{
    next.control = control_map();
}

static int fails(void)
{
    struct control *control = next.control;
    if (control == NULL) {
        return 0;
    }
    control->calls++;
    int64_t left = control->countdown;
    while (left > 0 && !atomic_compare_exchange_weak(&control->countdown, &left, left - 1)) {
    }
    /* It counts down to BURST first; what is left then fails. */
    if (left <= 0 || left > control->burst) {
        return 0;
    }
    control->faults++;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    if (!is_ready()) {
        return allocate_early(size);
    }
    return fails() ? NULL : next.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (!is_ready()) {
        return allocate_early(count * size); /* zero, since it is given out once */
    }
    return fails() ? NULL : next.calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    if (!is_ready() || is_early(memory)) {
        abort(); /* dlsym() does not */
    }
    return fails() ? NULL : next.realloc(memory, size);
}

void free(void *memory)
{
    if (!is_early(memory) && is_ready()) {
        next.free(memory);
    }
}
