/*
 * Preloaded into a process under test, keeps for each of its files what a disk would have after a power cut: the content
 * at the last fsync or fdatasync, as a copy in a folder beside; and that a file was removed, once its folder has been
 * synced. Compiled by the tests, see power-cut.ts.
 *
 * GTX_SYNCED_ROOT: files beneath this folder are kept; GTX_SYNCED_COPIES: folder of the copies.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what) {
  perror(what);
  abort();
}

/* A synced folder knows no more of the files that were removed from it (SQLite ends a rollback journal that way). */
static void forget(const char *root, const char *copies) {
  char path[PATH_MAX];
  DIR *folder = opendir(copies);
  if (folder == NULL) die(copies);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s%s", root, entry->d_name);
    if (access(path, F_OK) == 0) continue;
    snprintf(path, sizeof path, "%s/%s", copies, entry->d_name);
    unlink(path);
  }
  closedir(folder);
}

/* Written beside and renamed: killed in the middle, the copy of before stays, and the caller has not been told yet. */
static void keep(int descriptor) {
  const char *root = getenv("GTX_SYNCED_ROOT");
  const char *copies = getenv("GTX_SYNCED_COPIES");
  if (root == NULL || copies == NULL) return;
  char link[64], path[PATH_MAX], copy[PATH_MAX + 8], beside[PATH_MAX + 16];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) die("readlink");
  path[length] = '\0';
  struct stat status;
  if (fstat(descriptor, &status) != 0) die("fstat");
  if (S_ISDIR(status.st_mode) && strncmp(path, root, strlen(path)) == 0 && strlen(path) + 1 == strlen(root)) {
    pthread_mutex_lock(&lock);
    forget(root, copies);
    pthread_mutex_unlock(&lock);
    return;
  }
  if (strncmp(path, root, strlen(root)) != 0 || !S_ISREG(status.st_mode)) return;
  const char *name = strrchr(path, '/') + 1;
  snprintf(copy, sizeof copy, "%s/%s", copies, name);
  snprintf(beside, sizeof beside, "%s.new", copy);
  pthread_mutex_lock(&lock);
  /* The process's own descriptor may be write-only; SQLite holds POSIX locks, which closing this file's would drop. */
  int out = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) die(beside);
  static char buffer[1 << 16];
  off_t at = 0;
  for (;;) {
    ssize_t got = pread(descriptor, buffer, sizeof buffer, at);
    if (got < 0) die("pread");
    if (got == 0) break;
    if (write(out, buffer, (size_t)got) != got) die("write");
    at += got;
  }
  if (close(out) != 0 || rename(beside, copy) != 0) die(copy);
  pthread_mutex_unlock(&lock);
}

static int synced(const char *function, int descriptor) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
  int result = real(descriptor);
  if (result == 0) keep(descriptor);
  return result;
}

int fsync(int descriptor) { return synced("fsync", descriptor); }
int fdatasync(int descriptor) { return synced("fdatasync", descriptor); }
