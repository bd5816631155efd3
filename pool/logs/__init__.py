"""Logs: one vocabulary of events, and the lines that are made of them."""
