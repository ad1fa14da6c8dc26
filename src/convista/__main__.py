"""``python -m convista`` is the command ``convista``."""

from __future__ import annotations

from convista.cli import main

if __name__ == "__main__":
    main()
