"""Stratum V1 as miners speak it: the protocol core, its jobs and shares, and the server around them."""
