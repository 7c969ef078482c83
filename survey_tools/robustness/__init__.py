"""Would the clusters still be there: a plan of other choices and resamples, and a verdict."""
