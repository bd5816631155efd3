"""The accountant: from frames to slots, credits and payments; the database's one writer."""
