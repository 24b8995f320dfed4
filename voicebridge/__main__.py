"""``python -m voicebridge`` does what ``voicebridge`` does."""

from voicebridge.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
