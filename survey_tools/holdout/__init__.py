"""Texts x taxonomy -> whether the labels of papers held out can be told from their texts."""
