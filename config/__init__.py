"""Settings as typed data."""
