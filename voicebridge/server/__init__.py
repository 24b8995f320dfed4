"""The front door: the carrier's webhooks, its media websocket, health."""
