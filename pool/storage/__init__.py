"""Where the accounts are kept: SQLite or PostgreSQL behind one interface; it knows no money."""
