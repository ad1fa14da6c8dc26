"""Seeing into models, data and runs: where numbers come from, why a network answers so, and what is wrong with it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convista.insight.attribution import Attribution as Attribution
    from convista.insight.attribution import attribute as attribute
    from convista.insight.dense import DenseMatrix as DenseMatrix
    from convista.insight.dense import as_dense as as_dense
    from convista.insight.derivations import Explanation as Explanation
    from convista.insight.derivations import explain as explain
    from convista.insight.doctor.calibration import Calibration as Calibration
    from convista.insight.doctor.calibration import calibration as calibration
    from convista.insight.doctor.examination import check as check
    from convista.insight.doctor.findings import Diagnosis as Diagnosis
    from convista.insight.doctor.findings import Finding as Finding
    from convista.insight.doctor.labels import Suspect as Suspect
    from convista.insight.doctor.labels import suspects as suspects
    from convista.insight.doctor.limits import Limits as Limits
    from convista.insight.equivariance import Invariance as Invariance
    from convista.insight.equivariance import invariance as invariance
    from convista.insight.excitation import Excitations as Excitations
    from convista.insight.excitation import excitations as excitations
    from convista.insight.feature_map import FeatureMaps as FeatureMaps
    from convista.insight.feature_map import feature_maps as feature_maps
    from convista.insight.learned_filters import Filters as Filters
    from convista.insight.learned_filters import filters as filters
    from convista.insight.maximization import Maximized as Maximized
    from convista.insight.maximization import gallery as gallery
    from convista.insight.maximization import maximize as maximize
    from convista.insight.reports.report import Report as Report
    from convista.insight.reports.report import report as report
    from convista.insight.sanity import SanityCheck as SanityCheck
    from convista.insight.sanity import sanity_check as sanity_check
    from convista.insight.slides import Slide as Slide
    from convista.insight.slides import slide as slide
    from convista.insight.traces import Trace as Trace
    from convista.insight.traces import trace as trace
    from convista.insight.variants import show_augmented as show_augmented

_NAMES = {
    "Attribution": "convista.insight.attribution",
    "Calibration": "convista.insight.doctor.calibration",
    "DenseMatrix": "convista.insight.dense",
    "Diagnosis": "convista.insight.doctor.findings",
    "Excitations": "convista.insight.excitation",
    "Explanation": "convista.insight.derivations",
    "FeatureMaps": "convista.insight.feature_map",
    "Filters": "convista.insight.learned_filters",
    "Finding": "convista.insight.doctor.findings",
    "Invariance": "convista.insight.equivariance",
    "Limits": "convista.insight.doctor.limits",
    "Maximized": "convista.insight.maximization",
    "Report": "convista.insight.reports.report",
    "SanityCheck": "convista.insight.sanity",
    "Slide": "convista.insight.slides",
    "Suspect": "convista.insight.doctor.labels",
    "Trace": "convista.insight.traces",
    "as_dense": "convista.insight.dense",
    "attribute": "convista.insight.attribution",
    "calibration": "convista.insight.doctor.calibration",
    "check": "convista.insight.doctor.examination",
    "excitations": "convista.insight.excitation",
    "explain": "convista.insight.derivations",
    "feature_maps": "convista.insight.feature_map",
    "filters": "convista.insight.learned_filters",
    "gallery": "convista.insight.maximization",
    "invariance": "convista.insight.equivariance",
    "maximize": "convista.insight.maximization",
    "report": "convista.insight.reports.report",
    "sanity_check": "convista.insight.sanity",
    "show_augmented": "convista.insight.variants",
    "slide": "convista.insight.slides",
    "suspects": "convista.insight.doctor.labels",
    "trace": "convista.insight.traces",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the command line imports this package before anything heavy."""
    if name not in _NAMES:
        raise AttributeError(f"module 'convista.insight' has no attribute {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)
