"""Clusters and trees x taxonomy -> where labels live, how far both agree, which papers do not."""
