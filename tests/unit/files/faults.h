/*
 * System calls that fail when they are told to, and a record of those that were made. The linker
 * puts these between the store and the C library (--wrap).
 */
#ifndef SP_TESTS_FILES_FAULTS_H
#define SP_TESTS_FILES_FAULTS_H

#include <stdbool.h>

enum faults_call {
    FAULTS_OPEN,       /* openat */
    FAULTS_WRITE,      /* pwrite */
    FAULTS_SYNC,       /* fsync of a file */
    FAULTS_SYNC_DIR,   /* fsync of a directory */
    FAULTS_RENAME,     /* renameat2 */
    FAULTS_LINK,       /* linkat */
    FAULTS_MKDIR,      /* mkdirat */
    FAULTS_SYNC_RANGE, /* sync_file_range */
    FAULTS_STATVFS,    /* fstatvfs */
    FAULTS_READ,       /* pread */
    FAULTS_CALLS
};

#define FAULTS_SHORT (-1) /* in place of an errno: half of it is written or read */

/* The NTH of CALL from now on (from 1) fails with ERROR; 0: none does. Clears the record. */
void faults_arm(enum faults_call call, unsigned nth, int error);
void faults_disarm(void);
/* Whether that call has come. */
bool faults_struck(void);
/* Each call takes up to so long from now on. */
void faults_delay(unsigned microseconds);

/* One letter for each call since faults_arm(), in the order above: o w s d r l m g v p. */
const char *faults_record(void);

#endif
