"""The namespace of the array API standard, on Arrays and on values that are being traced."""
