/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "client/ctl/numdctl.h"

static const char *skip_space(const char *p) {
  return p + strspn(p, " ,:\n");
}

/* One past the value. */
static const char *skip_value(const char *p) {
  int depth = 0;
  do {
    if (*p == '"')
      p = strchr(p + 1, '"');
    depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
    p++;
  } while (depth > 0 || (*p != ',' && *p != '}' && *p != ']' && *p != '\0' && *p != ':'));
  return p;
}

const char *json_member(const char *object, const char *key) {
  size_t len = strlen(key);
  if (!object || *object != '{')
    return NULL;
  for (const char *p = skip_space(object + 1); *p == '"';) {
    const char *value = skip_space(skip_value(p));
    if (strncmp(p + 1, key, len) == 0 && p[len + 1] == '"')
      return value;
    p = skip_space(skip_value(value));
  }
  return NULL;
}

/* The first element of an array, or the one after another; NULL at the end. */
const char *json_first(const char *array) {
  const char *p = array && *array == '[' ? skip_space(array + 1) : NULL;
  return p && *p != ']' ? p : NULL;
}
const char *json_next(const char *element) {
  const char *p = skip_space(skip_value(element));
  return *p != ']' && *p != '\0' ? p : NULL;
}

uint64_t json_number(const char *object, const char *key) {
  const char *value = json_member(object, key);
  return value ? strtoull(value, NULL, 10) : 0;
}
