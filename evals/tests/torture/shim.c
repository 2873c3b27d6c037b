/* Makes calls of the C library fail, or ends the process in their midst: the n-th that concerns a file below a folder.
 * Loaded with LD_PRELOAD; idle until torture_arm is called. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE = 1, FSYNC = 2, RENAME = 4, OPEN = 8 };
static char root[4096];
static int kinds, error, sticky;
static long at, seen, each[OPEN + 1];

void torture_arm(const char *folder, int which, long number, int failure, int for_ever) {
    snprintf(root, sizeof root, "%s/", folder);
    kinds = which, at = number, error = failure, sticky = for_ever, seen = 0;
    memset(each, 0, sizeof each);
}
/* How many calls of a kind there were since then. */
long torture_seen(int kind) { return each[kind]; }

static int below(const char *path) { return *root && path && !strncmp(path, root, strlen(root)); }
static int of_descriptor(int fd) {
    char link[64], path[4096];
    ssize_t n;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return below(path);
}
/* Whether this call fails; a failure of 0 is the end of the process. */
static int struck(int kind) {
    each[kind]++;
    if (!(kinds & kind)) return 0;
    seen++;
    if (!(sticky ? seen >= at : seen == at)) return 0;
    if (!error) kill(getpid(), SIGKILL);
    errno = error;
    return 1;
}
#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (kinds && of_descriptor(fd)) {
        long before = seen + 1;
        if ((kinds & WRITE) && (sticky ? before >= at : before == at)) (void)!real(fd, data, size / 2);
        if (struck(WRITE)) return -1;
    }
    return real(fd, data, size);
}
int fsync(int fd) {
    REAL(int, "fsync", int);
    return kinds && of_descriptor(fd) && struck(FSYNC) ? -1 : real(fd);
}
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return kinds && below(to) && struck(RENAME) ? -1 : real(from, to);
}
static int opening(const char *path, int flags) {
    return kinds && (flags & O_ACCMODE) != O_RDONLY && below(path) && struck(OPEN);
}
#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
        REAL(int, #name, const char *, int, ...); \
        return opening(path, flags) ? -1 : real(path, flags, mode); \
    }
OPENS(open)
OPENS(open64)
#define OPENATS(name) \
    int name(int folder, const char *path, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
        REAL(int, #name, int, const char *, int, ...); \
        return opening(path, flags) ? -1 : real(folder, path, flags, mode); \
    }
OPENATS(openat)
OPENATS(openat64)
