"""The spool: its format, its clock and its reading; what a gateway writes and the accountant counts."""
