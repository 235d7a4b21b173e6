/* SPDX-License-Identifier: BSD-3-Clause */
/* The version of all that is built here: the daemon, the libraries and the Python package. */
#ifndef NUMD_VERSION_H
#define NUMD_VERSION_H

#define NUMD_VERSION "0.1.0"

#endif
