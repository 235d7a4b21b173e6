"""numd.function: a Python function is traced, and becomes one program."""
