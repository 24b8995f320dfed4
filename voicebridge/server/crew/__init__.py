"""Many processes that answer the calls of one node together, and the one that minds them."""
