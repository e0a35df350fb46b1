"""Recipes of several stages, one paper to a file: an ordinary function of a `Studio`, named like its file."""
