"""One figure a file: a result in, matplotlib artists out. Nothing is fitted here."""
