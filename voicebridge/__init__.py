"""voicebridge puts an AI agent on a phone line."""

__version__ = "0.1.0"
