/* What numdctl prints from the lists, without a daemon. Each gives the exit status. */
#ifndef NUMD_CLIENT_NUMDCTL_H
#define NUMD_CLIENT_NUMDCTL_H

int print_ops(void);
/* The page protocol/OPERATIONS.md. */
int print_ops_page(void);
int print_dtypes(void);

#endif
