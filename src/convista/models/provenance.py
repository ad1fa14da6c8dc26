"""Where a model's weights came from; kept with the model and saved with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from convista.errors import ArgumentError


@dataclass(frozen=True)
class Provenance:
    """The file that weights were read from.

    Args:
        source: Its name, without the folder, or its URL.
        sha256: The SHA-256 of its bytes, hexadecimal.
        format: ``"convista"``, ``"keras"`` or ``"torch"``.

    Example:
        >>> Provenance("resnet18.pth", "0" * 64, "torch").format
        'torch'
    """

    source: str
    sha256: str
    format: str

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, str):
                raise ArgumentError(f"{name} is a text", where="Provenance", received=f"{name}={value!r:.100}")

    def to_config(self) -> dict[str, str]:
        """Return the fields as plain data."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Provenance:
        """Return what ``to_config`` described.

        Raises:
            ArgumentError: A field is missing, unknown or no text.
        """
        if not isinstance(config, Mapping) or set(config) != {"source", "sha256", "format"}:
            raise ArgumentError(
                "its fields are format, sha256 and source", where="Provenance", received=f"{config!r:.100}"
            )
        return cls(**dict(config))
