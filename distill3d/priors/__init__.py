"""The kinds of Prior."""
