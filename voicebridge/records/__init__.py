"""What is kept of a call: who spoke when, what was heard, what the tools did, why it ended."""
