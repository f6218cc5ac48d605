/*
 * What the libraries of this directory share. They are put in front of a program with LD_PRELOAD
 * and stand between it and the C library, to make its calls fail; nobody includes or links them.
 * They are told what to do, and tell what they have done, in a file that both sides map: its path
 * is in the environment (FAULT_CONTROL), its layout is struct control and fault.py's Control.
 */
#ifndef FAULT_PRELOAD_H
#define FAULT_PRELOAD_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
    _Atomic int64_t countdown; /* allocations until one fails; 0: none will */
    _Atomic int64_t burst;     /* how many fail then, one after the other */
    _Atomic int64_t calls;     /* so far */
    _Atomic int64_t faults;    /* injected so far */
    _Atomic int64_t mode;      /* of partial input and output: enum mode in partial_io.c */
};

/* NULL: nothing is to be done. It allocates nothing. */
static inline struct control *control_map(void)
{
    const char *path = getenv("FAULT_CONTROL");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return mapped == MAP_FAILED ? NULL : mapped;
}

#endif
