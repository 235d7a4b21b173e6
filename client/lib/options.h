/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a connection, as a caller gave them, made those of this library. */
#ifndef NUMD_CLIENT_LIB_OPTIONS_H
#define NUMD_CLIENT_LIB_OPTIONS_H

#include "client/numd.h"

/* `given` may be NULL, or of another size than ours: see numd.h. EINVAL names what is wrong. */
int options_read(const numd_options *given, numd_options *out);

#endif
