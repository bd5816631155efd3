"""Full nodes: asking them, hearing of new tips, choosing among them."""
