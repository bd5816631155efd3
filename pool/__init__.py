"""The application: where the protocol, the node, the accounts and the settings meet."""
