"""Who is owed what, and paying it. Integers only."""
