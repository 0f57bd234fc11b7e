/*
 * What a process believes of the world around it: the wall clock, and where names lead.
 *
 * Owns what stands between a process and its C library, by LD_PRELOAD. Must not know the process.
 * The table of CHAOS_WORLD is mapped once and may be rewritten at any time: each call reads it anew,
 * without a lock and without a system call. The invariant that would break first: without a table, or
 * with one of another size, everything is as it is. `struct table` is written by src/preload.rs.
 *
 * Only the wall clock jumps, as on a machine whose time is set: no interval is measured by it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NAMES = 8, HERE = 1, GONE = 2, UNANSWERED = 3 };

struct table {
  _Atomic int64_t offset_s;
  struct {
    char name[120]; /* does not change while a process runs */
    _Atomic int64_t state;
  } names[NAMES];
};

static struct table *table;
static int (*true_clock)(clockid_t, struct timespec *);
static int (*true_lookup)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void find(void) {
  if (!true_clock) true_clock = dlsym(RTLD_NEXT, "clock_gettime");
  if (!true_lookup) true_lookup = dlsym(RTLD_NEXT, "getaddrinfo");
}

__attribute__((constructor)) static void begin(void) {
  find();
  const char *path = getenv("CHAOS_WORLD");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  struct stat about;
  if (file < 0) return;
  if (!fstat(file, &about) && about.st_size == sizeof *table) {
    void *at = mmap(NULL, sizeof *table, PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) table = at;
  }
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  find(); /* other constructors may come before this one's */
  int failed = true_clock(clock, now);
  if (!failed && table && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += atomic_load_explicit(&table->offset_s, memory_order_relaxed);
  return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  int failed = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return failed;
}

time_t time(time_t *kept) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (kept) *kept = now.tv_sec;
  return now.tv_sec;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  find();
  for (int i = 0; table && name && i < NAMES; i++) {
    if (!table->names[i].name[0] || strcasecmp(table->names[i].name, name)) continue;
    switch (atomic_load_explicit(&table->names[i].state, memory_order_relaxed)) {
    case HERE: return true_lookup("127.0.0.1", service, hints, found);
    case GONE: return EAI_NONAME;
    case UNANSWERED: sleep(10); return EAI_AGAIN; /* as the resolver waits before it gives up */
    }
  }
  return true_lookup(name, service, hints, found);
}
