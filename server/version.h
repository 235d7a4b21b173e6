/* The daemon's version: the same as NUMD_VERSION in client/numd.h, which the server does not include. */
#ifndef NUMD_SERVER_VERSION_H
#define NUMD_SERVER_VERSION_H

#define NUMD_SERVER_VERSION "0.1.0"

#endif
