"""The handwritten digits that live inside the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convista.data.dataset import Split
from convista.data.idx import read_idx

EMBEDDED = Path(__file__).parent / "embedded"
IMAGES = EMBEDDED / "digits-images-idx3-ubyte.gz"
LABELS = EMBEDDED / "digits-labels-idx1-ubyte.gz"
SHA256 = {
    IMAGES.name: "c41c947a1014aa9bb82e371b01f16724f9ef929893351173edcc47aa0fc03930",
    LABELS.name: "147c9192405199869317e6d9c62ea444f9770c3f8c6dd65035ba3a3690cc5460",
}
DARKEST = 16


def read_digits() -> tuple[Split, Split]:
    """Read the 1 797 embedded digits and divide them, always in the same way.

    A stored value ``v`` counts the inked pixels of a 4×4 block, 0 to 16, and becomes ``(255·v + 8) // 16``, which is
    ``255·v/16`` rounded to the nearest integer, halves upwards. For the division the pictures are ordered by class,
    within a class as they stand in the file; every fifth, from the first on, is a test picture. So both halves have
    every class in the same proportion (35 to 37 test pictures a class) and, as in the file, the same writers.

    Returns:
        1 437 training and 360 test pictures, uint8 ``(count, 8, 8, 1)``, with int32 labels, both in the file's order.

    Example:
        >>> train, test = read_digits()
        >>> len(train), len(test), int(train.x.max())
        (1437, 360, 255)

    Source:
        E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
        doi 10.24432/C50P49, CC BY 4.0.
    """
    blocks = read_idx(IMAGES)
    labels = read_idx(LABELS).astype(np.int32)
    x = ((blocks.astype(np.uint16) * 255 + DARKEST // 2) // DARKEST).astype(np.uint8)[..., None]
    in_test = np.zeros(len(labels), bool)
    in_test[np.argsort(labels, kind="stable")[::5]] = True
    return Split(x[~in_test], labels[~in_test]), Split(x[in_test], labels[in_test])
