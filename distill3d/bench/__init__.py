"""Measured claims: one file per table of the README, and the statistics they share."""
