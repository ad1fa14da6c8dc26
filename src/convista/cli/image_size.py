"""The option `--image-size`: how large the pictures of a folder are made."""

from __future__ import annotations

import click


class ImageSize(click.ParamType[tuple[int, int]]):
    """Height and width of a picture, or one number for both."""

    name = "height,width"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Read one number or two."""
        if isinstance(value, tuple):
            return value
        parts = str(value).replace("x", ",").replace("×", ",").split(",")
        if len(parts) in (1, 2) and all(part.strip().isdecimal() and int(part) > 0 for part in parts):
            return int(parts[0]), int(parts[-1])
        self.fail(f"{value!r} is not a size. Write height and width in pixels, for example 64,64 or 64.", param, ctx)
