"""How numbers become colours: one rising scale for values from 0, one around 0 for values of both signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

# From dark blue over grey to pale orange: it rises in brightness all the way, so that a grey print keeps the sign, and
# blue against orange is seen by every kind of eye. The usual red–white–blue has two dark ends that a print makes one.
_AROUND_ZERO = ("#02263D", "#0072B2", "#808080", "#E69F00", "#FCEBC2")


@dataclass(frozen=True)
class Scale:
    """What the colours of a picture of numbers stand for.

    Args:
        low: The number of the darkest colour.
        high: That of the brightest.
    """

    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray, around_zero: bool = False) -> Scale:
        """Return the scale for these numbers: from 0 if none is negative, otherwise as far below 0 as above.

        Args:
            values: The numbers.
            around_zero: Whether 0 is the middle even if none of these is negative, as others beside them are.

        Example:
            >>> Scale.of(np.array([0.5, 2.0])), Scale.of(np.array([-3.0, 1.0]))
            (Scale(low=0.0, high=2.0), Scale(low=-3.0, high=3.0))
        """
        finite = values[np.isfinite(values)]
        low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
        most = max(-low, high)
        return cls(-most, most) if low < 0 or around_zero else cls(0.0, high)

    @property
    def around_zero(self) -> bool:
        """Whether 0 lies in the middle."""
        return self.low < 0

    @property
    def words(self) -> str:
        """The ends, such as ``0…2.31`` or ``±0.4``."""
        return f"±{self.high:.3g}" if self.around_zero else f"0…{self.high:.3g}"

    @property
    def colours(self) -> Colormap:
        """The colours, from the low end to the high one."""
        from matplotlib import colormaps
        from matplotlib.colors import LinearSegmentedColormap

        if not self.around_zero:
            return colormaps["viridis"]
        return LinearSegmentedColormap.from_list("around zero", _AROUND_ZERO)

    def coloured(self, values: np.ndarray) -> np.ndarray:
        """Return the colours of numbers, uint8 ``(…, 3)``; those beyond the ends have the colour of the end."""
        width = self.high - self.low
        places = np.zeros(values.shape) if width == 0 else (np.nan_to_num(values) - self.low) / width
        return self.colours(np.clip(places, 0, 1), bytes=True)[..., :3]
