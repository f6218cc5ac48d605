#include "power.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define SECTOR_BYTES 512
#define PATH_BYTES 512
#define NAMES 8
#define REGIONS 64

/* A write; or, without data, the end of the file set to OFFSET. */
struct change {
    struct change *next;
    int64_t offset;
    size_t size;
    uint8_t data[];
};

struct image {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

struct inode {
    struct inode *next;
    struct image now;
    struct image synced;
    struct change *first; /* from SYNCED to NOW */
    struct change **last;
    void *regions[REGIONS]; /* of the WAL's index, which no disk has */
    int shared[SQLITE_SHM_NLOCK];
    int exclusive[SQLITE_SHM_NLOCK];
};

struct name {
    char path[PATH_BYTES];
    struct inode *now; /* NULL: there is no such file */
    struct inode *synced;
};

struct handle {
    sqlite3_file base;
    struct inode *inode;
    struct name *unsynced; /* a new rollback journal: its first sync is its directory's, too */
    unsigned shared;       /* locks of the WAL's index, one bit each */
    unsigned exclusive;
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real; /* for time and randomness */
    struct name names[NAMES];
    struct inode *inodes;
    uint64_t random;
    uint64_t left; /* until the power goes; 0: never */
    bool off;
    struct power_counts counts;
} disk;

static void *need(void *memory)
{
    if (memory == NULL) {
        (void)fprintf(stderr, "power.c: out of memory\n");
        abort();
    }
    return memory;
}

static uint32_t chance(uint32_t below)
{
    disk.random = disk.random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(disk.random >> 33) % below;
}

/* --- what is on the disk --- */

static void image_resize(struct image *image, size_t size)
{
    if (size > image->capacity) {
        size_t capacity = size * 2;
        image->bytes = need(realloc(image->bytes, capacity));
        memset(image->bytes + image->capacity, 0, capacity - image->capacity);
        image->capacity = capacity;
    }
    if (size < image->size) {
        memset(image->bytes + size, 0, image->size - size);
    }
    image->size = size;
}

static void image_write(struct image *image, int64_t offset, const uint8_t *data, size_t size)
{
    size_t end = (size_t)offset + size;

    if (end > image->size) {
        image_resize(image, end);
    }
    memcpy(image->bytes + offset, data, size);
}

static void image_apply(struct image *image, const struct change *change)
{
    if (change->size == 0) {
        image_resize(image, (size_t)change->offset);
    } else {
        image_write(image, change->offset, change->data, change->size);
    }
}

static void drop_changes(struct inode *inode)
{
    while (inode->first != NULL) {
        struct change *next = inode->first->next;
        free(inode->first);
        inode->first = next;
    }
    inode->last = &inode->first;
}

static void add_change(struct inode *inode, int64_t offset, const void *data, size_t size)
{
    struct change *change = need(malloc(sizeof *change + size));

    *change = (struct change){.offset = offset, .size = size};
    if (size > 0) {
        memcpy(change->data, data, size);
    }
    *inode->last = change;
    inode->last = &change->next;
    image_apply(&inode->now, change);
}

static void sync_inode(struct inode *inode)
{
    for (const struct change *change = inode->first; change != NULL; change = change->next) {
        image_apply(&inode->synced, change);
    }
    drop_changes(inode);
}

static struct inode *inode_new(void)
{
    struct inode *inode = need(calloc(1, sizeof *inode));

    inode->last = &inode->first;
    inode->next = disk.inodes;
    disk.inodes = inode;
    return inode;
}

static void drop_regions(struct inode *inode)
{
    for (size_t i = 0; i < REGIONS; i++) {
        free(inode->regions[i]);
        inode->regions[i] = NULL;
    }
}

/* PATH's place; a new one if there is none. */
static struct name *find_name(const char *path)
{
    for (size_t i = 0; i < NAMES; i++) {
        struct name *name = &disk.names[i];
        if (name->path[0] == '\0') {
            (void)snprintf(name->path, sizeof name->path, "%s", path);
        }
        if (strcmp(name->path, path) == 0) {
            return name;
        }
    }
    abort(); /* a database has four */
}

/* --- the power --- */

void power_reset(uint64_t seed)
{
    while (disk.inodes != NULL) {
        struct inode *inode = disk.inodes;
        disk.inodes = inode->next;
        drop_changes(inode);
        drop_regions(inode);
        free(inode->now.bytes);
        free(inode->synced.bytes);
        free(inode);
    }
    memset(disk.names, 0, sizeof disk.names);
    disk.random = seed * 2654435761U + 1;
    disk.left = 0;
    disk.off = false;
}

void power_cut_after(uint64_t n)
{
    disk.left = n;
}

void power_cut(void)
{
    disk.counts.cuts += disk.off ? 0 : 1;
    disk.off = true;
}

bool power_is_off(void)
{
    return disk.off;
}

struct power_counts power_count(void)
{
    return disk.counts;
}

/* Counts a change: whether the power holds. */
static bool go_on(void)
{
    if (disk.left > 0 && --disk.left == 0) {
        power_cut();
    }
    return !disk.off;
}

/* The sectors of CHANGE that have reached IMAGE: KEPT of each eight, as long as nobody knows. */
static void survive(struct image *image, const struct change *change, uint32_t kept)
{
    size_t at = 0;

    while (at < change->size) {
        int64_t offset = change->offset + (int64_t)at;
        size_t size = SECTOR_BYTES - (size_t)(offset % SECTOR_BYTES);
        size = size < change->size - at ? size : change->size - at;
        if (chance(8) < kept) {
            image_write(image, offset, change->data + at, size);
            disk.counts.kept++;
        } else if (chance(8) == 0 && size > 1) {
            image_write(image, offset, change->data + at, 1 + chance((uint32_t)size - 1));
            disk.counts.torn++;
        } else {
            disk.counts.dropped++;
        }
        at += size;
    }
}

static void settle(struct inode *inode)
{
    /* Nothing, or all, more often than chance would have it. */
    uint32_t kept = chance(3) == 0 ? 8 * chance(2) : chance(9);

    for (const struct change *change = inode->first; change != NULL; change = change->next) {
        if (change->size > 0) {
            survive(&inode->synced, change, kept);
        } else if (chance(8) < kept) {
            image_apply(&inode->synced, change);
        }
    }
    drop_changes(inode);
    image_resize(&inode->now, 0);
    if (inode->synced.size > 0) {
        image_write(&inode->now, 0, inode->synced.bytes, inode->synced.size);
    }
    drop_regions(inode);
    memset(inode->shared, 0, sizeof inode->shared);
    memset(inode->exclusive, 0, sizeof inode->exclusive);
}

void power_restore(void)
{
    for (size_t i = 0; i < NAMES; i++) {
        struct name *name = &disk.names[i];
        if (name->now != name->synced && chance(2) == 0) {
            name->now = name->synced;
            disk.counts.names++;
        }
        name->synced = name->now;
    }
    for (struct inode *inode = disk.inodes; inode != NULL; inode = inode->next) {
        settle(inode);
    }
    disk.left = 0;
    disk.off = false;
}

void power_sync_directory(void)
{
    if (!go_on()) {
        return;
    }
    for (size_t i = 0; i < NAMES; i++) {
        disk.names[i].synced = disk.names[i].now;
    }
}

/* --- a file, as SQLite wants it --- */

static struct inode *inode_of(sqlite3_file *file)
{
    return ((struct handle *)file)->inode;
}

static int file_close(sqlite3_file *file)
{
    (void)file;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    const struct image *image = &inode_of(file)->now;
    size_t from = (size_t)offset;
    size_t wanted = (size_t)size;

    if (disk.off) {
        return SQLITE_IOERR_READ;
    }
    size_t left = from < image->size ? image->size - from : 0;
    size_t count = left < wanted ? left : wanted;
    if (count > 0) {
        memcpy(data, image->bytes + from, count);
    }
    memset((uint8_t *)data + count, 0, wanted - count);
    return count == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    if (disk.off) {
        return SQLITE_IOERR_WRITE;
    }
    add_change(inode_of(file), offset, data, (size_t)size);
    return go_on() ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (disk.off) {
        return SQLITE_IOERR_TRUNCATE;
    }
    add_change(inode_of(file), size, NULL, 0);
    return go_on() ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct handle *handle = (struct handle *)file;

    (void)flags;
    if (disk.off || !go_on()) {
        return SQLITE_IOERR_FSYNC;
    }
    sync_inode(handle->inode);
    if (handle->unsynced != NULL) {
        handle->unsynced->synced = handle->unsynced->now;
        handle->unsynced = NULL;
    }
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)inode_of(file)->now.size;
    return disk.off ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

/* The locks of the file itself: with a WAL, they keep out only those who would have none. */
static int file_lock(sqlite3_file *file, int level)
{
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *file, int *reserved)
{
    (void)file;
    *reserved = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
    (void)file;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as SQLite assumes of every disk */
}

static int shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    struct inode *inode = inode_of(file);

    *out = NULL;
    if (region >= REGIONS || disk.off) {
        return SQLITE_IOERR_SHMMAP;
    }
    if (inode->regions[region] == NULL && extend != 0) {
        inode->regions[region] = need(calloc(1, (size_t)size));
    }
    *out = inode->regions[region];
    return SQLITE_OK;
}

static bool is_taken(const struct inode *inode, int lock, bool exclusive)
{
    return inode->exclusive[lock] > 0 || (exclusive && inode->shared[lock] > 0);
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    struct handle *handle = (struct handle *)file;
    struct inode *inode = handle->inode;
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    unsigned *own = exclusive ? &handle->exclusive : &handle->shared;
    int *held = exclusive ? inode->exclusive : inode->shared;
    bool take = (flags & SQLITE_SHM_LOCK) != 0;

    for (int lock = offset; take && lock < offset + count; lock++) {
        if ((*own & (1U << lock)) == 0 && is_taken(inode, lock, exclusive)) {
            return SQLITE_BUSY;
        }
    }
    for (int lock = offset; lock < offset + count; lock++) {
        unsigned bit = 1U << lock;
        if (take != ((*own & bit) != 0)) {
            held[lock] += take ? 1 : -1;
            *own ^= bit;
        }
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *file)
{
    (void)file;
}

static int shm_unmap(sqlite3_file *file, int remove)
{
    (void)remove;
    (void)shm_lock(file, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
    (void)shm_lock(file, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* --- the file system --- */

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                     int *out_flags)
{
    struct handle *handle = (struct handle *)file;

    (void)vfs;
    memset(handle, 0, sizeof *handle);
    if (disk.off) {
        return SQLITE_CANTOPEN;
    }
    struct name *name = find_name(path);
    if (name->now == NULL) {
        name->now = inode_new(); /* the domain has made the file before it asks SQLite */
        handle->unsynced = (flags & SQLITE_OPEN_MAIN_JOURNAL) != 0 ? name : NULL;
    }
    handle->inode = name->now;
    handle->base.pMethods = &methods;
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int sync)
{
    struct name *name = find_name(path);

    (void)vfs;
    if (disk.off || !go_on()) {
        return SQLITE_IOERR_DELETE;
    }
    if (name->now == NULL) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    name->now = NULL;
    if (sync != 0) {
        name->synced = NULL;
    }
    return SQLITE_OK;
}

static int is_there(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    const struct inode *inode = find_name(path)->now;

    (void)vfs;
    *out = inode != NULL && (flags != SQLITE_ACCESS_EXISTS || inode->now.size > 0);
    return disk.off ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int full_path(sqlite3_vfs *vfs, const char *path, int capacity, char *out)
{
    (void)vfs;
    (void)snprintf(out, (size_t)capacity, "%s", path);
    return SQLITE_OK;
}

void power_install(void)
{
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.iVersion = 2;
    disk.vfs.szOsFile = sizeof(struct handle);
    disk.vfs.mxPathname = PATH_BYTES - 1;
    disk.vfs.pNext = NULL;
    disk.vfs.zName = "power";
    disk.vfs.xOpen = open_file;
    disk.vfs.xDelete = delete_file;
    disk.vfs.xAccess = is_there;
    disk.vfs.xFullPathname = full_path;
    if (sqlite3_vfs_register(&disk.vfs, 1) != SQLITE_OK) {
        abort();
    }
}
