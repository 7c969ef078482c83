"""Agglomerative clustering: rows or distances -> merges -> Tree, exact on every route."""
