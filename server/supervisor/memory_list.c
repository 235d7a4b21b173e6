/* SPDX-License-Identifier: BSD-3-Clause */
/* The list is read from the kernel: a worker has a descriptor of each object that its client has attached, so
 * /proc/WORKER/fd tells which. The broker adds the objects that only it keeps. So there is no second account
 * that could differ from what is held. */
#include "server/supervisor/memory_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/grow.h"

#define DAEMON 0 /* stands for a client's process id where the broker is the holder */

struct held_object {
  dev_t device;
  ino_t inode;
  uint64_t bytes, used;
  int client;
  char what[64];
};

struct held_objects {
  struct held_object *item;
  size_t n, room;
};

/* Adds the object behind a link in /proc, if it is an object of clients. */
static void add(struct held_objects *items, const char *path, int client) {
  struct stat st;
  char target[300];
  ssize_t n = readlink(path, target, sizeof(target) - 1);
  if (n < 0)
    return;
  target[n] = '\0';
  bool memfd = strncmp(target, "/memfd:", 7) == 0, named = strncmp(target, "/dev/shm/", 9) == 0;
  if (!memfd && !named)
    return;
  if (strncmp(target, "/memfd:numd-", 12) == 0 && strncmp(target, "/memfd:numd-arrays", 18) != 0)
    return; /* our own: a channel, the scoreboard */
  if (stat(path, &st) < 0)
    return;
  if (!grow((void **)&items->item, items->n, &items->room, sizeof(*items->item)))
    return;
  struct held_object *item = &items->item[items->n++];
  *item = (struct held_object){.device = st.st_dev,
                               .inode = st.st_ino,
                               .bytes = (uint64_t)st.st_size,
                               .used = (uint64_t)st.st_blocks * 512,
                               .client = client};
  /* The kernel says "(deleted)" of every memfd. It says so of a named object if the name was removed: by a
   * program, or by logind's RemoveIPC. */
  char *end = strstr(target, " (deleted)");
  if (end)
    *end = '\0';
  snprintf(item->what, sizeof(item->what), "%.48s%s", target + (memfd ? 7 : 9),
           end && named ? " (unlinked)" : "");
}

static void add_session(void *arg, int worker, int client) {
  char directory[64], path[400];
  snprintf(directory, sizeof(directory), "/proc/%d/fd", worker);
  DIR *d = opendir(directory);
  if (!d)
    return;
  for (const struct dirent *e = readdir(d); e; e = readdir(d))
    if (e->d_name[0] != '.') {
      snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
      add(arg, path, client);
    }
  closedir(d);
}

static void add_kept(void *arg, int fd) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  add(arg, path, DAEMON);
}

static int compare(const void *left, const void *right) {
  const struct held_object *a = left, *b = right;
  if (a->device != b->device)
    return a->device < b->device ? -1 : 1;
  if (a->inode != b->inode)
    return a->inode < b->inode ? -1 : 1;
  return (a->client > b->client) - (a->client < b->client);
}

/* Prints a JSON string; characters that would need an escape are replaced. */
static void print_text(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++)
    fputc(*text < ' ' || *text > '~' || *text == '"' || *text == '\\' ? '?' : *text, out);
  fputc('"', out);
}

static void print_holder(FILE *out, int client) {
  char path[64], command[64] = "?";
  snprintf(path, sizeof(path), "/proc/%d/comm", client);
  FILE *f = client == DAEMON ? NULL : fopen(path, "re");
  if (f && fgets(command, sizeof(command), f))
    command[strcspn(command, "\n")] = '\0';
  if (f)
    fclose(f);
  fprintf(out, "{\"pid\": %d, \"command\": ", client == DAEMON ? getpid() : client);
  print_text(out, client == DAEMON ? "numd" : command);
  fputc('}', out);
}

static void print_segments(FILE *out, const struct broker *broker, uint32_t uid,
                           const struct held_objects *items) {
  const struct held_object *before = NULL;
  fprintf(out, "{\"segments\": [");
  for (size_t i = 0; i < items->n; i++) {
    const struct held_object *item = &items->item[i];
    bool same = before && before->device == item->device && before->inode == item->inode;
    if (same && before->client == item->client)
      continue;
    if (!same) {
      fprintf(out, "%s{\"id\": %llu, \"what\": ", before ? "]}, " : "", (unsigned long long)item->inode);
      print_text(out, item->what);
      fprintf(out, ", \"bytes\": %llu, \"used\": %llu, ", (unsigned long long)item->bytes,
              (unsigned long long)item->used);
      broker_print(broker, out, uid, item->device, item->inode);
      fprintf(out, ", \"holders\": [");
    }
    fprintf(out, "%s", same ? ", " : "");
    print_holder(out, item->client);
    before = item;
  }
  fprintf(out, "%s]}\n", before ? "]}" : "");
}

int memory_list(const struct workers *workers, const struct broker *broker, uint32_t uid) {
  struct held_objects items = {0};
  int fd = memfd_create("numd-list", MFD_CLOEXEC), copy = fd < 0 ? -1 : dup(fd);
  FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
  if (!out) {
    int rc = -errno;
    if (copy >= 0)
      close(copy);
    if (fd >= 0)
      close(fd);
    return rc;
  }
  workers_each_session(workers, uid, add_session, &items);
  broker_each(broker, uid, add_kept, &items);
  if (items.n > 0)
    qsort(items.item, items.n, sizeof(*items.item), compare);
  print_segments(out, broker, uid, &items);
  free(items.item);
  fclose(out);
  return fd;
}
