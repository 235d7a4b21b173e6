/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that exists already: a POSIX shared-memory object of this program's own is attached by name,
 * and one operation at a time is applied to arrays in it.
 *
 *   cc share.c $(pkg-config --cflags --libs numd) -o share && ./share
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <numd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static void must(int status) {
  if (status == NUMD_OK)
    return;
  fprintf(stderr, "%s: %s\n", numd_status_name(status), numd_error());
  exit(1);
}

int main(void) {
  enum { ROWS = 3, COLS = 4 };
  char name[64];
  snprintf(name, sizeof(name), "/numd-example-%ld", (long)getpid());
  int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
  if (fd < 0 || ftruncate(fd, 4096) < 0) {
    perror(name);
    return 1;
  }
  double *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  for (int i = 0; i < ROWS * COLS; i++)
    mine[i] = i;

  numd_conn *conn;
  numd_segment *segment;
  must(numd_connect(NULL, &conn));
  must(numd_segment_attach(conn, name, &segment));
  shm_unlink(name); /* the name is not needed any more; the memory stays */

  /* The matrix, the same memory read as its transpose, and room for a row of sums behind it. */
  numd_array *matrix, *transposed, *sums, *product = NULL;
  must(numd_segment_array(segment, 0, NUMD_FLOAT64, 2, (int64_t[]){ROWS, COLS}, NULL, &matrix));
  must(numd_segment_array(segment, 0, NUMD_FLOAT64, 2, (int64_t[]){COLS, ROWS}, (int64_t[]){8, 8 * COLS},
                          &transposed));
  must(numd_segment_array(segment, 8 * ROWS * COLS, NUMD_FLOAT64, 1, (int64_t[]){COLS}, NULL, &sums));

  const numd_params over_rows = {.given = NUMD_PARAM_AXES, .axes = 1u << 0};
  must(numd_apply(conn, NUMD_OP_SUM, &over_rows, 1, (numd_arg[]){{.array = matrix}}, &sums, NULL));
  must(numd_apply(conn, NUMD_OP_MATMUL, NULL, 2, (numd_arg[]){{.array = matrix}, {.array = transposed}},
                  &product, NULL));
  numd_scalar largest;
  must(numd_apply(conn, NUMD_OP_MAX, NULL, 1, (numd_arg[]){{.array = product}}, NULL, &largest));

  printf("column sums: %g %g %g %g\n", mine[12], mine[13], mine[14], mine[15]);
  printf("largest of matrix @ matrix.T: %g\n", largest.f);
  int right = mine[12] == 12 && mine[15] == 21 && largest.f == 366;

  numd_array_unref(matrix);
  numd_array_unref(transposed);
  numd_array_unref(sums);
  numd_array_unref(product);
  numd_segment_unref(segment);
  numd_conn_unref(conn);
  munmap(mine, 4096);
  close(fd);
  return right ? 0 : 1;
}
