"""What `distill3d bench render` measures: a file for each operation, with `cases()` and `sweep(axis)`."""
