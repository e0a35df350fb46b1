"""Measured claims: one file for each table of the README."""
