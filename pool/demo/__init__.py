"""`engineroom demo`: a whole pool on one machine, to look at: node, server, miners, and blocks found."""
