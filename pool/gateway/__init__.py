"""A gateway: the role that miners connect to."""
