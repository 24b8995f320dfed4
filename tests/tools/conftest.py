"""Let the tests of this room import the service that plays the other end."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
