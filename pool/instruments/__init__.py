"""What is measured and shown: readings of gateways, hashrates, the metrics listener and health."""
