"""The frames of a slide as pixels, and all of them as a GIF."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING

import numpy as np

from convista.insight.drawing import VERMILLION
from convista.insight.walks.formulas import shown

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

    from convista.insight.walks.sliding import Slide

# All in pixels.
_WIDTH, _MARGIN, _GAP, _LARGEST_CELL = 720, 18, 44, 46
_HEAD, _NAME, _LINE = 84, 24, 24
_INK, _GREY, _LIGHT, _HATCH = "#1A1A1A", "#595959", "#EEEEEE", "#B5B5B5"
_SEEN, _FILLED = "#F9DDC9", "#DCEBF5"  # light vermillion and light blue, both lighter than the grid's lines in grey
_RULE = "#8C8C8C"
_FRAME_MILLISECONDS, _LAST_MILLISECONDS = 900, 3000
_MOST_LINES = 4


def png(slide: Slide, number: int) -> bytes:
    """Return one frame as a PNG file.

    Args:
        slide: The slide.
        number: Which frame, from 0.
    """
    content = io.BytesIO()
    picture(slide, number).save(content, "PNG")
    return content.getvalue()


def gif(slide: Slide) -> bytes:
    """Return all frames as a GIF file that repeats for ever; the same bytes for the same slide."""
    from PIL import Image

    frames = [picture(slide, number) for number in range(len(slide.frames))]
    # One palette for all frames keeps what does not change out of the file: 105 kB instead of 216 for 25 frames.
    palette = Image.new("P", (1, 1))
    palette.putpalette([level for colour in _palette() for level in colour])
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [_FRAME_MILLISECONDS] * len(others) + [_LAST_MILLISECONDS]
    content = io.BytesIO()
    first.save(content, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=True)
    return content.getvalue()


def _palette() -> list[tuple[int, int, int]]:
    """The colours that are used, and what lies between text and its background."""
    from PIL import ImageColor

    def mixed(one: str, other: str, share: float) -> tuple[int, int, int]:
        pairs = zip(ImageColor.getrgb(one), ImageColor.getrgb(other), strict=True)
        red, green, blue = (round(a * share + b * (1 - share)) for a, b in pairs)
        return red, green, blue

    pairs = [(_INK, ground) for ground in ("white", _SEEN, _FILLED)]
    pairs += [(_GREY, ground) for ground in ("white", _LIGHT, _SEEN)]
    blends = {mixed(ink, ground, share / 4): None for ink, ground in pairs for share in range(5)}
    others = {mixed(colour, "white", 1.0): None for colour in (_RULE, _HATCH, VERMILLION)}
    return [*blends, *others]


def picture(slide: Slide, number: int) -> Image.Image:
    """Return one frame, RGB."""
    from PIL import Image, ImageDraw

    rows, columns = _padded(slide)
    cell = _cell_size(slide)
    high = max(rows, slide.kernel.shape[0], slide.sizes[0])
    lines = max(len(_wrapped(slide, other)) for other in range(len(slide.frames)))
    height = _HEAD + _NAME + high * cell + 16 + lines * _LINE + _MARGIN
    image = Image.new("RGB", (_WIDTH, height), "white")
    pen = ImageDraw.Draw(image)
    pen.text((_MARGIN, 12), slide.title, fill=_INK, font=_font(16, bold=True))
    for place, formula in enumerate(slide.formulas):
        pen.text((_MARGIN, 38 + 20 * place), formula, fill=_GREY, font=_font(13))
    left = _MARGIN
    for name, wide, draw in (
        ("input, hatched: padding" if _is_padded(slide) else "input", columns, _draw_input),
        ("kernel", slide.kernel.shape[1], _draw_kernel),
        ("output", slide.sizes[1], _draw_output),
    ):
        pen.text((left, _HEAD + 2), name, fill=_INK, font=_font(13))
        draw(pen, slide, number, (left, _HEAD + _NAME), cell)
        left += max(wide * cell, int(pen.textlength(name, font=_font(13)))) + _GAP
    top = _HEAD + _NAME + high * cell + 16
    for place, text in enumerate(_wrapped(slide, number)):
        pen.text((_MARGIN, top + _LINE * place), text, fill=_INK, font=_font(15))
    return image


def _padded(slide: Slide) -> tuple[int, int]:
    rows, columns = (size + sum(pads) for size, pads in zip(slide.input.shape, slide.pads, strict=True))
    return rows, columns


def _is_padded(slide: Slide) -> bool:
    return any(map(any, slide.pads))


def _cell_size(slide: Slide) -> int:
    wide = _padded(slide)[1] + slide.kernel.shape[1] + slide.sizes[1]
    # A name above its grid may be wider than the grid.
    names = 110 if _is_padded(slide) and _padded(slide)[1] < 5 else 0
    return min(_LARGEST_CELL, (_WIDTH - 2 * _MARGIN - 2 * _GAP - names) // wide)


def _wrapped(slide: Slide, number: int) -> list[str]:
    """The formula of a frame in lines that fit, broken before a plus or the equals sign."""
    frame = slide.frames[number]
    words = frame.formula.replace(" + ", "\n+ ").replace(" = ", "\n= ").split("\n")
    lines = [f"output[{frame.cell[0]}, {frame.cell[1]}] = {words[0]}"]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if _font(15).getlength(longer) <= _WIDTH - 2 * _MARGIN:
            lines[-1] = longer
        else:
            lines.append(f"    {word}")
    if len(lines) > _MOST_LINES:
        left = len(lines) - _MOST_LINES + 1
        lines[_MOST_LINES - 2 : -1] = [f"    … {left} more line{'s' if left > 1 else ''} of products"]
        if not lines[-1].strip().startswith("="):
            lines[-1] = f"    … {words[-1]}"
    return lines


def _draw_input(pen: ImageDraw.ImageDraw, slide: Slide, number: int, corner: tuple[int, int], cell: int) -> None:
    frame, (rows, columns) = slide.frames[number], slide.input.shape
    (above, _), (before, _) = slide.pads
    seen = {(int(row), int(column)) for row, column in frame.places.reshape(-1, 2)}
    high, wide = _padded(slide)
    for row, column in np.ndindex(high, wide):
        place = (row - above, column - before)
        inside = 0 <= place[0] < rows and 0 <= place[1] < columns
        box = _box(corner, row, column, cell)
        fill = _SEEN if place in seen else "white" if inside else _LIGHT
        pen.rectangle(box, fill=fill, outline=_RULE)
        if not inside:
            _hatch(pen, box)
        value = shown(float(slide.input[place])) if inside else "0" if place in seen else ""
        _write(pen, box, value, _INK if inside else _GREY)
    _, first, last = frame.places, frame.places[0, 0], frame.places[-1, -1]
    start = _box(corner, int(first[0]) + above, int(first[1]) + before, cell)
    end = _box(corner, int(last[0]) + above, int(last[1]) + before, cell)
    pen.rectangle((start[0], start[1], end[2], end[3]), outline=VERMILLION, width=3)


def _draw_kernel(pen: ImageDraw.ImageDraw, slide: Slide, number: int, corner: tuple[int, int], cell: int) -> None:
    for row, column in np.ndindex(*slide.kernel.shape):
        box = _box(corner, row, column, cell)
        pen.rectangle(box, fill=_SEEN, outline=_RULE)
        _write(pen, box, shown(float(slide.kernel[row, column])), _INK)


def _draw_output(pen: ImageDraw.ImageDraw, slide: Slide, number: int, corner: tuple[int, int], cell: int) -> None:
    for place, frame in enumerate(slide.frames):
        box = _box(corner, *frame.cell, cell)
        pen.rectangle(box, fill=_FILLED if place <= number else "white", outline=_RULE)
        _write(pen, box, shown(frame.value) if place <= number else "", _INK)
    pen.rectangle(_box(corner, *slide.frames[number].cell, cell), outline=VERMILLION, width=3)


def _box(corner: tuple[int, int], row: int, column: int, cell: int) -> tuple[int, int, int, int]:
    left, top = corner[0] + column * cell, corner[1] + row * cell
    return left, top, left + cell, top + cell


def _hatch(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    left, top, right, _ = box
    side = right - left
    for shift in range(8, 2 * side, 8):
        begin = (left + max(shift - side, 0) + 1, top + min(shift, side) - 1)
        end = (left + min(shift, side) - 1, top + max(shift - side, 0) + 1)
        pen.line((begin, end), fill=_HATCH)


def _write(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], text: str, colour: str) -> None:
    left, top, right, bottom = box
    size = max(7, min(16, (right - left) * 2 // 5))
    if _font(7).getlength(text) > right - left - 3:  # no room for four digits
        text = f"{float(text.replace('−', '-')):.2g}".replace("-", "−")
    while size > 6 and _font(size).getlength(text) > right - left - 4:
        size -= 1
    pen.text(((left + right) / 2, (top + bottom) / 2), text, fill=colour, font=_font(size), anchor="mm")


@functools.cache
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    import matplotlib
    from PIL import ImageFont

    # It comes with matplotlib, so the picture is the same on every machine.
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}", size)
