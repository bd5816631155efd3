"""What lets others check the accounts: statements, digests, proofs, and messages signed by an address."""
