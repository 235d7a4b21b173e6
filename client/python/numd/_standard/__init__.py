# SPDX-License-Identifier: BSD-3-Clause
"""The namespace of the array API standard, on Arrays and on values that are being traced."""
