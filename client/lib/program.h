/* Programs as they are built, value by value. */
#ifndef NUMD_CLIENT_LIB_PROGRAM_H
#define NUMD_CLIENT_LIB_PROGRAM_H

#include "client/numd.h"
#include "protocol/program.h"

struct numd_program {
  struct program program;
  int error; /* the first mistake while building */
  char sentence[200];
};

#endif
