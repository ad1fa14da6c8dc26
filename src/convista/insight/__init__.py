"""Seeing into models, data and runs: where numbers come from, why a network answers so, and what is wrong with it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convista.insight.attributions.attribution import Attribution as Attribution
    from convista.insight.attributions.attribution import attribute as attribute
    from convista.insight.attributions.sanity import SanityCheck as SanityCheck
    from convista.insight.attributions.sanity import sanity_check as sanity_check
    from convista.insight.dense import DenseMatrix as DenseMatrix
    from convista.insight.dense import as_dense as as_dense
    from convista.insight.derivations.explanation import Explanation as Explanation
    from convista.insight.derivations.explanation import explain as explain
    from convista.insight.doctor.calibration import Calibration as Calibration
    from convista.insight.doctor.calibration import calibration as calibration
    from convista.insight.doctor.examination import check as check
    from convista.insight.doctor.findings import Diagnosis as Diagnosis
    from convista.insight.doctor.findings import Finding as Finding
    from convista.insight.doctor.labels import Suspect as Suspect
    from convista.insight.doctor.labels import suspects as suspects
    from convista.insight.doctor.limits import Limits as Limits
    from convista.insight.features.equivariance import Invariance as Invariance
    from convista.insight.features.equivariance import invariance as invariance
    from convista.insight.features.excitation import Excitations as Excitations
    from convista.insight.features.excitation import excitations as excitations
    from convista.insight.features.feature_map import FeatureMaps as FeatureMaps
    from convista.insight.features.feature_map import feature_maps as feature_maps
    from convista.insight.features.learned_filters import Filters as Filters
    from convista.insight.features.learned_filters import filters as filters
    from convista.insight.features.maximization import Maximized as Maximized
    from convista.insight.features.maximization import gallery as gallery
    from convista.insight.features.maximization import maximize as maximize
    from convista.insight.reports.report import Report as Report
    from convista.insight.reports.report import report as report
    from convista.insight.variants import show_augmented as show_augmented
    from convista.insight.walks.sliding import Slide as Slide
    from convista.insight.walks.sliding import slide as slide
    from convista.insight.walks.tracing import Trace as Trace
    from convista.insight.walks.tracing import trace as trace

_NAMES = {
    "Attribution": "convista.insight.attributions.attribution",
    "Calibration": "convista.insight.doctor.calibration",
    "DenseMatrix": "convista.insight.dense",
    "Diagnosis": "convista.insight.doctor.findings",
    "Excitations": "convista.insight.features.excitation",
    "Explanation": "convista.insight.derivations.explanation",
    "FeatureMaps": "convista.insight.features.feature_map",
    "Filters": "convista.insight.features.learned_filters",
    "Finding": "convista.insight.doctor.findings",
    "Invariance": "convista.insight.features.equivariance",
    "Limits": "convista.insight.doctor.limits",
    "Maximized": "convista.insight.features.maximization",
    "Report": "convista.insight.reports.report",
    "SanityCheck": "convista.insight.attributions.sanity",
    "Slide": "convista.insight.walks.sliding",
    "Suspect": "convista.insight.doctor.labels",
    "Trace": "convista.insight.walks.tracing",
    "as_dense": "convista.insight.dense",
    "attribute": "convista.insight.attributions.attribution",
    "calibration": "convista.insight.doctor.calibration",
    "check": "convista.insight.doctor.examination",
    "excitations": "convista.insight.features.excitation",
    "explain": "convista.insight.derivations.explanation",
    "feature_maps": "convista.insight.features.feature_map",
    "filters": "convista.insight.features.learned_filters",
    "gallery": "convista.insight.features.maximization",
    "invariance": "convista.insight.features.equivariance",
    "maximize": "convista.insight.features.maximization",
    "report": "convista.insight.reports.report",
    "sanity_check": "convista.insight.attributions.sanity",
    "show_augmented": "convista.insight.variants",
    "slide": "convista.insight.walks.sliding",
    "suspects": "convista.insight.doctor.labels",
    "trace": "convista.insight.walks.tracing",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the command line imports this package before anything heavy."""
    if name not in _NAMES:
        raise AttributeError(f"module 'convista.insight' has no attribute {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)
