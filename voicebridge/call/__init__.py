"""The heart: one telephone call as events in and commands out. Pure: no await and no clock."""
