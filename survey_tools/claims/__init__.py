"""A survey's claims: each with the experiment that tests it and the rule that decides."""
