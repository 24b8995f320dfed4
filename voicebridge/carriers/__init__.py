"""Telephone dialects: wire text to messages and back. Pure; the same names in every file."""
