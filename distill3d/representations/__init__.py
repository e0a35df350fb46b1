"""The kinds of Scene."""
