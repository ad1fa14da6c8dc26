"""``python -m convista`` is the command ``convista``."""

from __future__ import annotations

import sys

from convista.cli import main

if __name__ == "__main__":
    sys.exit(main())
