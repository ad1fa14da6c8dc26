"""The command line: one file per verb, and nothing heavy is imported before a verb runs."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and say how it went.

    Args:
        arguments: The words after ``convista``; None takes them from the command line.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 3 bad data, 4 diverged, 5 out of memory, 130 or 143 interrupted.

    Example:
        >>> main(["trian", "digits"])
        2
    """
    from convista.cli.program import run

    return run(arguments)
