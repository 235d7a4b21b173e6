/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared/available_cores.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int affinity_cores(void) {
  size_t bytes = CPU_ALLOC_SIZE(8192);
  cpu_set_t *set = CPU_ALLOC(8192);
  int n = set && sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 1;
  CPU_FREE(set);
  return n;
}

/* The cores that a CPU quota comes to, rounded up; 0: no limit. Version 2 of control groups has quota and
 * period in one file ("max 100000", "150000 100000"), version 1 in two; period_path is NULL for version 2. */
static int quota_in(const char *quota_path, const char *period_path) {
  char text[64] = "", more[64] = "100000";
  FILE *f = fopen(quota_path, "re");
  if (!f)
    return 0;
  bool got = fgets(text, sizeof(text), f) != NULL;
  fclose(f);
  if (got && period_path && (f = fopen(period_path, "re"))) {
    got = fgets(more, sizeof(more), f) != NULL;
    fclose(f);
  }
  long quota = 0, period = 100000;
  if (!got || sscanf(text, "%ld %ld", &quota, &period) < 1)
    return 0;
  if (period_path)
    period = strtol(more, NULL, 10);
  return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

/* The tightest quota from a control group up to the root of its hierarchy; 0: no limit. */
static int quota_above(const char *mount, char *group, bool v1) {
  char quota[512], period[512];
  int least = 0;
  for (;;) {
    snprintf(quota, sizeof(quota), "%s%s/%s", mount, group, v1 ? "cpu.cfs_quota_us" : "cpu.max");
    snprintf(period, sizeof(period), "%s%s/cpu.cfs_period_us", mount, group);
    int n = quota_in(quota, v1 ? period : NULL);
    if (n > 0 && (least == 0 || n < least))
      least = n;
    char *slash = strrchr(group, '/');
    if (!slash)
      return least;
    *slash = '\0';
  }
}

/* A line of /proc/self/cgroup is "number:controllers:/path"; version 2 has number 0 and no controllers. */
static int quota_of_line(char *line) {
  char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!group)
    return 0;
  *controllers++ = *group++ = '\0';
  group[strcspn(group, "\n")] = '\0';
  if (*controllers == '\0')
    return quota_above("/sys/fs/cgroup", group, false);
  for (char *save, *c = strtok_r(controllers, ",", &save); c; c = strtok_r(NULL, ",", &save))
    if (strcmp(c, "cpu") == 0)
      return quota_above("/sys/fs/cgroup/cpu", group, true);
  return 0;
}

static int quota_cores(void) {
  char line[400];
  int least = 0;
  FILE *f = fopen("/proc/self/cgroup", "re");
  while (f && fgets(line, sizeof(line), f)) {
    int n = quota_of_line(line);
    if (n > 0 && (least == 0 || n < least))
      least = n;
  }
  if (f)
    fclose(f);
  return least;
}

int available_cores(void) {
  int cores = affinity_cores(), quota = quota_cores();
  if (quota > 0 && quota < cores)
    cores = quota;
  return cores < 1 ? 1 : cores;
}
