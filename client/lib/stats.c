/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's counters, from msgpack to JSON text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/lib/conn.h"
#include "client/lib/error.h"
#include "client/lib/rpc.h"

static void put_string(FILE *f, const msgpack_object_str *s) {
  fputc('"', f);
  for (uint32_t i = 0; i < s->size; i++) {
    unsigned char c = (unsigned char)s->ptr[i];
    if (c == '"' || c == '\\')
      fprintf(f, "\\%c", c);
    else if (c < 0x20)
      fprintf(f, "\\u%04x", c);
    else
      fputc(c, f);
  }
  fputc('"', f);
}

/* Writes a value. It calls itself for values in containers, whose depth wire_scan has bounded. */
static void put(FILE *f, const msgpack_object *o) {
  switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
      fputs(o->via.boolean ? "true" : "false", f);
      break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
      fprintf(f, "%" PRIu64, o->via.u64);
      break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
      fprintf(f, "%" PRId64, o->via.i64);
      break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
      fprintf(f, "%.17g", o->via.f64);
      break;
    case MSGPACK_OBJECT_STR:
      put_string(f, &o->via.str);
      break;
    case MSGPACK_OBJECT_ARRAY:
      fputc('[', f);
      for (uint32_t i = 0; i < o->via.array.size; i++) {
        fputs(i ? ", " : "", f);
        put(f, &o->via.array.ptr[i]);
      }
      fputc(']', f);
      break;
    case MSGPACK_OBJECT_MAP:
      fputc('{', f);
      for (uint32_t i = 0; i < o->via.map.size; i++) {
        fputs(i ? ", " : "", f);
        put(f, &o->via.map.ptr[i].key);
        fputs(": ", f);
        put(f, &o->via.map.ptr[i].val);
      }
      fputc('}', f);
      break;
    default:
      fputs("null", f);
  }
}

int numd_stats(numd_conn *conn, char **json) {
  struct rpc rpc;
  size_t len;
  int r = conn_enter(conn);
  if (r)
    return r;
  rpc_begin(&rpc, conn, "stats");
  msgpack_pack_array(&rpc.pk, 0);
  r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0) {
    FILE *f = open_memstream(json, &len);
    if (f) {
      put(f, &rpc.reply.result);
      fclose(f);
    } else {
      r = error_no_memory();
    }
  }
  rpc_end(&rpc);
  return r;
}
