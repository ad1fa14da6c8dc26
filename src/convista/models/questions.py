"""What a model can be asked about itself; the answers come from `insight/`, a floor above, when they are asked for."""

from __future__ import annotations


class Questions:
    """The questions, one method each; every one is also a function of :mod:`convista.insight`."""
