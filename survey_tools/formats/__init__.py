"""Files to papers and back, without a network."""
