"""From results to what a person reads: tables, the set-up paragraph, one HTML page."""
