"""Reports: what the accounts say, as values, and one way to show them. Nothing here changes anything."""
