"""Where in the data directory the accounts keep what is not in the database: the names of its folders."""

SPOOL = "spool"  # one folder for each gateway
ARCHIVE = "archive"  # one folder for each gateway
JOURNAL = "journal"
PLANS = "plans"  # one file for each plan that a coinbase may have paid by
