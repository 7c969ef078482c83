"""Loops that numba compiles; they know arrays only, neither papers nor settings."""
