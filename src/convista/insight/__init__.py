"""Seeing into models and runs: figures, the folders that hold them, a convolution as a matrix, and augmentation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convista.insight.dense import DenseMatrix as DenseMatrix
    from convista.insight.dense import as_dense as as_dense
    from convista.insight.reports.report import Report as Report
    from convista.insight.reports.report import report as report
    from convista.insight.variants import show_augmented as show_augmented

_NAMES = {
    "Report": "convista.insight.reports.report",
    "DenseMatrix": "convista.insight.dense",
    "as_dense": "convista.insight.dense",
    "report": "convista.insight.reports.report",
    "show_augmented": "convista.insight.variants",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the command line imports this package before anything heavy."""
    if name not in _NAMES:
        raise AttributeError(f"module 'convista.insight' has no attribute {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)
