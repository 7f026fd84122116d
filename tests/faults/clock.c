// A wall clock that somebody else moves, for one process: LD_PRELOAD it, with SEGUE_TEST_CLOCK naming a file of 8 bytes,
// the milliseconds (int64) that every reading is off by. Steady clocks and waits are left alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *off_ms;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("SEGUE_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *found = mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
        off_ms = found == MAP_FAILED ? NULL : found;
        close(file);
    }
}

int clock_gettime(clockid_t which, struct timespec *at) {
    int status = real ? real(which, at) : -1;
    if (status == 0 && off_ms && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t ns = at->tv_nsec + (*off_ms % 1000) * 1000000;
        at->tv_sec += *off_ms / 1000 + ns / 1000000000;
        at->tv_nsec = ns % 1000000000;
        if (at->tv_nsec < 0) {
            at->tv_nsec += 1000000000;
            at->tv_sec -= 1;
        }
    }
    return status;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    at->tv_sec = found.tv_sec;
    at->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (at)
        *at = found.tv_sec;
    return found.tv_sec;
}
