"""The embedded regtest node: Bitcoin Core's own consensus engine behind a node's JSON-RPC face.

For the demo, for tests and for trying a set-up out. Consensus is the kernel's; what a kernel has not
(mempool, block templates, an index of unspent outputs, a wallet) is kept here, simply. Regtest only: it
refuses every other network, and its wallet's seed lies open in a file.
"""
