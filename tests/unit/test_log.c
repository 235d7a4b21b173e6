/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines: what a client makes the daemon log cannot fill the disk. */
#include "server/host/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static FILE *file;
static int old;

/* Lines go to a file from here on. */
static void set_up(void) {
  file = tmpfile();
  ck_assert_ptr_nonnull(file);
  old = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  unsetenv("JOURNAL_STREAM");
  log_init("numd", LOG_LEVEL_INFO);
}

static void tear_down(void) {
  dup2(old, STDERR_FILENO);
  close(old);
  fclose(file);
}

/* How many lines were written; the last one. */
static int lines(char last[600]) {
  int n = 0;
  rewind(file);
  while (fgets(last, 600, file))
    n++;
  return n;
}

START_TEST(a_place_logs_so_many_lines_at_most) {
  struct log_site site = {0}, another = {0};
  char last[600] = "";
  for (int i = 0; i < LOG_BURST + 100; i++)
    log_line(&site, LOG_LEVEL_WARNING, "refused %d", i);
  ck_assert_int_eq(lines(last), LOG_BURST);
  log_line(&another, LOG_LEVEL_WARNING, "another place");
  ck_assert_int_eq(lines(last), LOG_BURST + 1);
  ck_assert_str_eq(last, "numd: warning: another place\n");
  site.since_ns -= LOG_PERIOD_NS; /* later */
  log_line(&site, LOG_LEVEL_WARNING, "refused again");
  log_line(&site, LOG_LEVEL_WARNING, "and again");
  ck_assert_int_eq(lines(last), LOG_BURST + 3);
  ck_assert_str_eq(last, "numd: warning: and again\n");
  site.since_ns -= LOG_PERIOD_NS;
  log_line(&site, LOG_LEVEL_WARNING, "at last");
  lines(last);
  ck_assert_str_eq(last, "numd: warning: at last\n");
}
END_TEST

START_TEST(what_was_left_out_is_counted) {
  struct log_site site = {0};
  char last[600] = "";
  for (int i = 0; i < LOG_BURST + 7; i++)
    log_line(&site, LOG_LEVEL_INFO, "line");
  site.since_ns -= LOG_PERIOD_NS;
  log_line(&site, LOG_LEVEL_INFO, "line");
  lines(last);
  ck_assert_str_eq(last, "numd: info: (7 more like this were left out) line\n");
}
END_TEST

START_TEST(lines_are_cut_not_overrun) {
  char last[600] = "", text[1000];
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = 0;
  log_error("%s", text);
  ck_assert_int_eq(lines(last), 1);
  ck_assert_int_le(strlen(last), 512);
  ck_assert_int_eq(last[strlen(last) - 1], '\n'); /* a line all the same */
}
END_TEST

/* What a client sends is quoted in places; none of it may look like a line of the daemon's, or steer the
 * terminal that shows it. */
START_TEST(no_text_begins_another_line) {
  static const struct {
    const char *text, *line;
  } cases[] = {
      {"x\n<3>numd: error: forged", "x\\x0a<3>numd: error: forged"},
      {"\x1b[31mred\r\t\x7f", "\\x1b[31mred\\x0d\\x09\\x7f"},
      {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"\xc2\x85next line of C1", "\\xc2\\x85next line of C1"},
      {"\xff\xc0\x8a\xe0\x80\x8a", "\\xff\\xc0\\x8a\\xe0\\x80\\x8a"}, /* a newline, written too long */
      {"\xed\xa0\x80 \xf4\x90\x80\x80", "\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80"},
      {"cut \xe2\x82", "cut \\xe2\\x82"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char last[600] = "", expected[600];
    log_info("%s", cases[i].text);
    ck_assert_int_eq(lines(last), (int)i + 1);
    snprintf(expected, sizeof(expected), "numd: info: %s\n", cases[i].line);
    ck_assert_str_eq(last, expected);
  }
}
END_TEST

START_TEST(less_grave_lines_are_not_written) {
  char last[600];
  log_debug("detail");
  ck_assert_int_eq(lines(last), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("log");
  TCase *t = tcase_create("log");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, a_place_logs_so_many_lines_at_most);
  tcase_add_test(t, what_was_left_out_is_counted);
  tcase_add_test(t, lines_are_cut_not_overrun);
  tcase_add_test(t, no_text_begins_another_line);
  tcase_add_test(t, less_grave_lines_are_not_written);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
