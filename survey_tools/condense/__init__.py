"""Condensing: a corpus too large for exactness -> micro-clusters, streamed shard by shard."""
