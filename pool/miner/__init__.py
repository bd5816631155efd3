"""An honest CPU miner: to try a set-up out, and to test the server with.

It shares no line with `stratum`: it is written from the protocol's description a second time, so that a
mistake in one of the two shows as a rejected share instead of agreeing with itself.
"""
