"""The farm: machines, groups, what they should do, what they do, and what it costs."""
