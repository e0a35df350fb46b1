"""The kinds of Objective: one paper, one file."""
