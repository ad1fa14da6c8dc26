"""Networks: a graph of layers, the numbers it owns, and the verbs people know."""

from __future__ import annotations

from convista.models.model import Model
from convista.models.saving import load_model
from convista.models.seed import set_random_seed
from convista.models.sequential import Sequential
from convista.models.summary import Summary

__all__ = ["Model", "Sequential", "Summary", "load_model", "set_random_seed"]
