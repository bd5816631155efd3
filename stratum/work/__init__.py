"""Everything inside the 80 bytes of a block header, and what hangs from them. Pure."""
