"""Telephone audio: G.711 mu-law at 8 kHz, mono. Pure: no I/O and no clock."""
