"""Differentiable operations over compiled kernels, each with its definition in plain torch beside it."""
