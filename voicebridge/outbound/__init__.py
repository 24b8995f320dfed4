"""Calls that the bridge places: whether they may be, and the carrier's REST API."""
