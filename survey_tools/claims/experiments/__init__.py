"""Experiments that test claims, one noun a file."""
