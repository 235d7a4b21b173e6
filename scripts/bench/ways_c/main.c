/* SPDX-License-Identifier: BSD-3-Clause */
/* The command loop of a C client; see bench.h. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scripts/bench/ways_c/bench.h"

static const struct bench_way *way;
static struct bench_job job;
static struct bench_samples samples;
static bool opened;

/* A failure is an answer too: {"error": "..."}. */
static void answer_error(const char *text) {
  printf("{\"error\": \"");
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') {
      putchar('\\');
    }
    putchar(*text >= ' ' ? *text : ' ');
  }
  printf("\"}\n");
}

static int parse_shape(char *text, struct bench_array *array) {
  array->ndim = 0;
  array->size = 1;
  for (char *save, *word = strtok_r(text, "x", &save); word; word = strtok_r(NULL, "x", &save)) {
    if (array->ndim == BENCH_MAX_DIMS) {
      return -1;
    }
    array->shape[array->ndim] = strtoll(word, NULL, 10);
    array->size *= array->shape[array->ndim++];
  }
  return 0;
}

double *bench_alloc(int64_t n) {
  size_t huge = 2 << 20, bytes = (size_t)n * sizeof(double), unit = bytes >= 2 * huge ? huge : 64;
  size_t room = (bytes + unit - 1) / unit * unit;
  double *numbers = aligned_alloc(unit, room ? room : unit);
  if (numbers && unit == huge) {
    madvise(numbers, room, MADV_HUGEPAGE); /* a wish */
  }
  if (numbers) {
    memset(numbers, 0, bytes);
  }
  return numbers;
}

static int load(const char *path, struct bench_array *array) {
  FILE *file = fopen(path, "rb");
  array->data = bench_alloc(array->size);
  bool whole = file && array->data &&
               fread(array->data, sizeof(double), (size_t)array->size, file) == (size_t)array->size;
  if (file) {
    fclose(file);
  }
  return whole ? 0 : -1;
}

/* "path:shape,path:shape", shapes as 1797x64. */
static int parse_inputs(char *text) {
  int i = 0;
  for (char *save, *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save), i++) {
    char *shape = strchr(word, ':');
    if (!shape || i == BENCH_MAX_IN) {
      return -1;
    }
    *shape++ = '\0';
    if (parse_shape(shape, &job.in[i]) || load(word, &job.in[i])) {
      return -1;
    }
  }
  return 0;
}

/* One key=value of a command. -1 if it is not understood. */
static int parse_word(const char *key, char *value) {
  if (strcmp(key, "case") == 0) {
    job.what = bench_case_find(value);
    return 0;
  }
  if (strcmp(key, "mode") == 0) {
    snprintf(job.mode, sizeof(job.mode), "%s", value);
    return 0;
  }
  if (strcmp(key, "wait") == 0) {
    snprintf(job.wait, sizeof(job.wait), "%s", value);
    return 0;
  }
  if (strcmp(key, "sessions") == 0) {
    job.sessions = atoi(value);
    return 0;
  }
  if (strcmp(key, "budget_ns") == 0) {
    job.budget_ns = strtoll(value, NULL, 10);
    return 0;
  }
  if (strcmp(key, "in") == 0) {
    return parse_inputs(value);
  }
  return strcmp(key, "out") == 0 ? parse_shape(value, &job.out) : -1;
}

static void let_go(void) {
  if (opened) {
    way->close();
  }
  opened = false;
  for (int i = 0; i < BENCH_MAX_IN; i++) {
    free(job.in[i].data);
  }
  job = (struct bench_job){.out.size = 1};
}

static void prepare(char *words) {
  let_go();
  for (char *save, *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
    char *value = strchr(word, '=');
    if (!value) {
      answer_error("a word of the command has no value");
      return;
    }
    *value++ = '\0';
    if (parse_word(word, value)) {
      answer_error("the command or an input file was not understood");
      return;
    }
  }
  const char *error = way->open(&job);
  if (error) {
    answer_error(error);
    return;
  }
  opened = true;
  printf("{\"partner\": %d}\n", way->partner ? way->partner() : 0);
}

static void print_numbers(const char *key, const double *numbers, int n) {
  printf(", \"%s\": [", key);
  for (int i = 0; i < n; i++) {
    printf(i ? ", %.1f" : "%.1f", numbers[i]);
  }
  printf("]");
}

static void measure(void) {
  if (!opened || bench_measure(way, job.budget_ns, &samples)) {
    answer_error(opened ? way->error() : "nothing is prepared");
    return;
  }
  printf("{\"calls\": %lld, \"batch\": %d, \"overhead_ns\": %.1f, \"cpu_ns\": %.0f", (long long)samples.calls,
         samples.batch, samples.overhead_ns, samples.cpu_ns);
  print_numbers("ns", samples.ns, samples.n);
  print_numbers("single_ns", samples.single_ns, samples.n_single);
  printf("}\n");
}

/* The number after "key=" in a command; `otherwise` without one. */
static int64_t number_of(const char *words, const char *key, int64_t otherwise) {
  const char *at = strstr(words, key);
  return at ? strtoll(at + strlen(key), NULL, 10) : otherwise;
}

/* A whole file of 8-byte integers, to be freed with free(); NULL if it cannot be read. */
static int64_t *load_integers(const char *path, int64_t *n) {
  FILE *file = fopen(path, "rb");
  int64_t *numbers = NULL;
  if (file && fseek(file, 0, SEEK_END) == 0) {
    *n = ftell(file) / (int64_t)sizeof(int64_t);
    rewind(file);
    numbers = malloc((size_t)*n * sizeof(int64_t) + 1);
    if (numbers && fread(numbers, sizeof(int64_t), (size_t)*n, file) != (size_t)*n) {
      free(numbers);
      numbers = NULL;
    }
  }
  if (file) {
    fclose(file);
  }
  return numbers;
}

static bool store_integers(const char *path, const int64_t *numbers, int64_t n) {
  FILE *file = fopen(path, "wb");
  bool whole = file && fwrite(numbers, sizeof(int64_t), (size_t)n, file) == (size_t)n;
  return file && fclose(file) == 0 && whole;
}

static void warm(const char *words) {
  if (!opened || bench_warm_up(way, number_of(words, "ns=", 0))) {
    answer_error(opened ? way->error() : "nothing is prepared");
    return;
  }
  printf("{}\n");
}

static void answer_schedule(const struct bench_schedule *s) {
  printf("{\"done\": %lld, \"passed_ns\": %lld, \"cpu_ns\": %lld, \"waited_ns\": %lld}\n", (long long)s->done,
         (long long)s->passed_ns, (long long)s->cpu_ns, (long long)s->waited_ns);
}

static void schedule(const char *words) {
  char times[128], to[128];
  struct bench_schedule s = {.limit_ns = number_of(words, "limit_ns=", 0)};
  if (!opened || sscanf(words, "times=%127s to=%127s", times, to) != 2) {
    answer_error(opened ? "schedule times=FILE to=FILE limit_ns=N is wanted" : "nothing is prepared");
    return;
  }
  int64_t *due = load_integers(times, &s.n);
  s.due_ns = due;
  s.latency_ns = due ? calloc((size_t)s.n + 1, sizeof(int64_t)) : NULL;
  if (!s.latency_ns) {
    answer_error("the schedule could not be read");
  } else if (bench_run_schedule(way, &s)) {
    answer_error(way->error());
  } else if (!store_integers(to, s.latency_ns, s.done)) {
    answer_error("the latencies could not be written");
  } else {
    answer_schedule(&s);
  }
  free(s.latency_ns);
  free(due);
}

static void stamps(const char *words) {
  int64_t done, n = number_of(words, "calls=", 1);
  if (!opened || bench_run_stamped(way, n, number_of(words, "limit_ns=", INT64_MAX), &done)) {
    answer_error(opened ? way->error() : "nothing is prepared");
    return;
  }
  printf("{\"calls\": %lld}\n", (long long)done);
}

static void finish(const char *path) {
  const char *error = NULL;
  if (opened && path) {
    double *out = malloc((size_t)job.out.size * sizeof(double));
    FILE *file = fopen(path, "wb");
    if (out && file) {
      way->result(out);
    }
    if (!out || !file || fwrite(out, sizeof(double), (size_t)job.out.size, file) != (size_t)job.out.size) {
      error = "the result could not be written";
    }
    free(out);
    if (file && fclose(file)) {
      error = "the result could not be written";
    }
  }
  let_go();
  if (error) {
    answer_error(error);
  } else {
    printf("{}\n");
  }
}

int main(int argc, char **argv) {
  way = bench_way_choose(argc > 1 ? argv[1] : NULL);
  if (!way) {
    fprintf(stderr, "%s: unknown way\n", argv[0]);
    return 2;
  }
  job.out.size = 1;
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, stdin) > 0) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "prepare ", 8) == 0) {
      prepare(line + 8);
    } else if (strcmp(line, "measure") == 0) {
      measure();
    } else if (strncmp(line, "warm ", 5) == 0) {
      warm(line + 5);
    } else if (strncmp(line, "schedule ", 9) == 0) {
      schedule(line + 9);
    } else if (strncmp(line, "stamps ", 7) == 0) {
      stamps(line + 7);
    } else if (strncmp(line, "finish", 6) == 0) {
      finish(strncmp(line, "finish to=", 10) == 0 ? line + 10 : NULL);
    } else {
      answer_error("unknown command");
    }
    fflush(stdout);
  }
  let_go();
  free(samples.ns);
  free(samples.single_ns);
  free(line);
  return 0;
}
