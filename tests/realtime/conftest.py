"""What the tests of the realtime client share."""

from __future__ import annotations

import sys
from pathlib import Path

# The helpers beside the tests are imported by name, whichever import mode pytest runs in.
sys.path.insert(0, str(Path(__file__).parent))
