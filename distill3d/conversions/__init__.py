"""Short cuts that need no optimisation: one kind of scene into another. One conversion, one file."""
