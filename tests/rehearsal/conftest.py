"""Let the tests of this room import the helpers beside them (pytest imports by path)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
