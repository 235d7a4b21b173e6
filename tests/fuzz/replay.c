/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a fuzz target on each file that is named, or in a directory that is named. */
#include <dirent.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static int n_run;

static void run_file(const char *path) {
  FILE *f = fopen(path, "rbe");
  long size = -1;
  if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0)
    rewind(f);
  uint8_t *data = size >= 0 ? malloc((size_t)size + 1) : NULL;
  if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(2);
  }
  fclose(f);
  uint8_t *exact = malloc(size ? (size_t)size : 1); /* so that a sanitizer sees reads behind the end */
  MUST(exact);
  memcpy(exact, data, (size_t)size);
  LLVMFuzzerTestOneInput(exact, (size_t)size);
  free(exact);
  free(data);
  n_run++;
}

static void run_directory(const char *path) {
  DIR *d = opendir(path);
  char name[4096];
  MUST(d);
  for (struct dirent *e; (e = readdir(d));)
    if (e->d_name[0] != '.' &&
        (size_t)snprintf(name, sizeof(name), "%s/%s", path, e->d_name) < sizeof(name)) {
      fprintf(stderr, "%s\n", name);
      run_file(name);
    }
  closedir(d);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    struct stat st;
    if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
      run_directory(argv[i]);
    else
      run_file(argv[i]);
  }
  printf("%d inputs\n", n_run);
  return 0;
}
