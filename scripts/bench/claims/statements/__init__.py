# SPDX-License-Identifier: BSD-3-Clause
"""The claims, one file each: see claims.claim."""
