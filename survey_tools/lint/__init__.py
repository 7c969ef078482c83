"""Lint: what looks wrong in a taxonomy, each with a code, a place and a hint; pure functions."""
