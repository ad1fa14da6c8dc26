"""Sequences of letters, DNA above all, as numbers: one for each letter of an alphabet, at each place."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convista.data.files import read_exactly, regular_file
from convista.errors import ArgumentError, DataError, suggest
from convista.folders import data_folder

BASES = "ACGT"
IUPAC: dict[str, str] = {
    **{base: base for base in BASES},
    "R": "AG",
    "Y": "CT",
    "S": "CG",
    "W": "AT",
    "K": "GT",
    "M": "AC",
    "B": "CGT",
    "D": "AGT",
    "H": "ACT",
    "V": "ACG",
    "N": "ACGT",
}
"""The bases that each letter of a DNA sequence may stand for (IUPAC)."""

_LARGE = str.maketrans("".join(IUPAC).lower(), "".join(IUPAC))
LARGEST = 256 << 20
_COLUMNS = ("class", "name", "sequence")
_HEADER = "sequence"
_END = "\0"
_SPLICE_COUNTS = {"EI": 767, "IE": 768, "N": 1655}
_SPLICE_SOURCE = (
    "G. Towell, M. Noordewier, J. Shavlik: Molecular Biology (Splice-junction Gene Sequences), UCI Machine Learning "
    "Repository. Licence: none stated with the file."
)


@dataclass(frozen=True, eq=False)
class LabelledSequences:
    """Sequences of letters with their classes.

    Args:
        sequences: The letters of each.
        y: Labels, int32, shape ``(count,)``; label ``k`` is ``classes[k]``.
        classes: The names of the classes, in alphabetical order.
        names: What the file calls each sequence.
        source: Where they came from, with the licence where it is known.

    Example:
        >>> two = LabelledSequences(("GTAAGT", "TTNCAG"), np.array([0, 1], np.int32), ("EI", "IE"), ("a", "b"), "typed")
        >>> encode_dna(two.sequences).shape
        (2, 6, 4)
    """

    sequences: tuple[str, ...]
    y: np.ndarray
    classes: tuple[str, ...]
    names: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.sequences)


def encode_dna(sequences: Sequence[str]) -> np.ndarray:
    """Turn DNA into numbers: four at each place, the shares of A, C, G and T.

    A letter that stands for one of k bases gives each of them 1/k: N is (¼, ¼, ¼, ¼), R (A or G) is (½, 0, ½, 0). A
    convolution is linear, so a filter's response to it is the mean of its responses to the bases that are possible, and
    the four numbers of every place sum to 1. Marking all possible bases with 1 instead would let a filter respond to N,
    of which nothing is known, more strongly than to any base.

    Args:
        sequences: Texts of one length, in the letters of IUPAC (A, C, G, T, R, Y, S, W, K, M, B, D, H, V, N); small
            letters count like large ones.

    Returns:
        float32 of shape ``(count, length, 4)``, channels in the order A, C, G, T.

    Raises:
        DataError: Another letter, with its row and position counted from 0, or sequences of different lengths.

    Example:
        >>> encode_dna(["ACR"])[0].tolist()
        [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.5, 0.0]]

    Source: lecture 004; A. Cornish-Bowden: Nomenclature for incompletely specified bases in nucleic acid sequences,
    Nucleic Acids Research 13, 1985.
    """
    # Not upper(): it would make two S of one ß.
    texts = [text.translate(_LARGE) for text in _texts(sequences, "encode_dna")]
    _check_lengths(texts, "encode_dna", 'Pad with the unknown base: sequence.ljust(length, "N")')
    codes = {letter: np.array([base in bases for base in BASES]) / len(bases) for letter, bases in IUPAC.items()}
    return _encoded(texts, codes, "encode_dna", _dna_fix)


def encode_letters(texts: Sequence[str], alphabet: str, length: int) -> np.ndarray:
    """Turn texts into numbers: at each place 1 for the letter that stands there and 0 for all others.

    Args:
        texts: Texts of at most ``length`` letters. Where a shorter one has ended, all numbers are 0.
        alphabet: The letters that are told apart, in the order of the channels.
        length: How many places each text gets.

    Returns:
        float32 of shape ``(count, length, len(alphabet))``.

    Raises:
        ArgumentError: The alphabet is empty or has a letter twice, or the length is not positive.
        DataError: A letter outside the alphabet, with its row and position counted from 0, or a text that is longer.

    Example:
        >>> encode_letters(["ba"], "ab", 3)[0].tolist()
        [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]

    Source: lecture 004; X. Zhang, J. Zhao, Y. LeCun: Character-level Convolutional Networks for Text Classification,
    2015.
    """
    letters = _alphabet(alphabet)
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise ArgumentError("length is a whole number from 1 on", where="encode_letters", received=f"length={length!r}")
    rows = _texts(texts, "encode_letters")
    for row, text in enumerate(rows):
        if len(text) > length:
            raise DataError(
                f"texts have at most length={length} letters",
                where="encode_letters",
                received=f"{len(text)} in row {row}",
                fix=f"Cut them, text[:{length}], or give length={max(map(len, rows))}",
            )
    identity = np.eye(len(letters) + 1)[:, :-1]
    codes = {letter: identity[place] for place, letter in enumerate((*letters, _END))}
    return _encoded([text.ljust(length, _END) for text in rows], codes, "encode_letters", _letter_fix)


def read_sequences(path: str | os.PathLike[str], *, largest: int = LARGEST) -> LabelledSequences:
    r"""Read sequences from a text file of three columns with commas between: class, name, sequence.

    Spaces around a value do not count. A first row whose third value is ``sequence`` is a header.

    Args:
        path: The file, UTF-8.
        largest: The most bytes that it may have.

    Returns:
        The sequences; classes are numbered in alphabetical order.

    Raises:
        DataError: The file is not there, is no such table, or has an empty value; the row is named as an editor counts.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "tiny.csv"
        >>> _ = file.write_text("class,name,sequence\nEI, first, GTAAGT\nIE, second, TTNCAG\n")
        >>> read_sequences(file).y
        array([0, 1], dtype=int32)
    """
    path = regular_file(path)
    rows = [_row(path, line, cells) for line, cells in _cells(path, largest)]
    if not rows:
        raise DataError("there is at least one sequence", where=str(path), received="none")
    named, names, sequences = zip(*rows, strict=True)
    classes = tuple(sorted(set(named)))
    y = np.array([classes.index(label) for label in named], np.int32)
    return LabelledSequences(sequences, y, classes, names, f"Read from {path}.")


def load_sequences(name: str) -> LabelledSequences:
    """Load a set of sequences by its name.

    ``"splice"``: 3 190 pieces of primate DNA of 60 letters. In the middle an exon ends and an intron begins (EI, a
    donor), an intron ends and an exon begins (IE, an acceptor), or neither (N). It is looked for as
    ``$CONVISTA_DATA/genome/splice.csv`` and ``$CONVISTA_DATA/splice.csv``; nothing is downloaded.

    Args:
        name: ``"splice"``.

    Returns:
        The sequences, of which 310 stand in the file more than once (see ``stratified_folds``).

    Raises:
        ArgumentError: There is no set of this name.
        DataError: The file was not found, or is not this set.
    """
    if name != "splice":
        raise ArgumentError(
            "there are no sequences of this name",
            where="load_sequences",
            received=repr(name),
            fix=suggest(str(name), ["splice"]),
        )
    path = _splice_file()
    found = read_sequences(path)
    counts = {label: int((found.y == place).sum()) for place, label in enumerate(found.classes)}
    lengths = {len(sequence) for sequence in found.sequences}
    if counts != _SPLICE_COUNTS or lengths != {60}:
        raise DataError(
            f"splice has sequences of 60 letters in the classes {_SPLICE_COUNTS}",
            where=str(path),
            received=f"{counts} and lengths from {min(lengths)} to {max(lengths)}",
            fix="Put the published file there",
        )
    return LabelledSequences(found.sequences, found.y, found.classes, found.names, f"{_SPLICE_SOURCE} {found.source}")


def _splice_file() -> Path:
    folder = data_folder()
    places = [] if folder is None else [folder / "genome" / "splice.csv", folder / "splice.csv"]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        looked = ", ".join(map(str, places)) or "no folder: CONVISTA_DATA is not set"
        raise DataError(
            f"the file was not found. Looked in {looked}",
            where="sequences 'splice'",
            fix="Set CONVISTA_DATA to a folder with genome/splice.csv; UCI publishes it as «Molecular Biology "
            "(Splice-junction Gene Sequences)»",
        )
    return found


def _cells(path: Path, largest: int) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, without the header, each with its line in the file."""
    with open(path, "rb") as file:
        content = read_exactly(file, largest + 1)
    if len(content) > largest:
        raise DataError(f"a table of sequences may have at most {largest} bytes", where=str(path), received="more")
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"a table of sequences is text with commas between its columns ({error})", where=str(path)
        ) from error
    return rows[1:] if rows and rows[0][1][-1].lower() == _HEADER else rows


def _row(path: Path, line: int, cells: list[str]) -> tuple[str, str, str]:
    if len(cells) != len(_COLUMNS):
        raise DataError(
            f"a row has {len(_COLUMNS)} columns: {', '.join(_COLUMNS)}",
            where=f"{path}, line {line}",
            received=f"{len(cells)}",
        )
    for column, cell in zip(_COLUMNS, cells, strict=True):
        if not cell:
            raise DataError(f"the {column} is not empty", where=f"{path}, line {line}", received="nothing")
    return cells[0], cells[1], cells[2]


def _texts(texts: Sequence[str], where: str) -> list[str]:
    if isinstance(texts, str):
        raise DataError(
            "several texts are encoded together", where=where, received="a single text", fix="Put it in a list: [text]"
        )
    rows = list(texts)
    for row, text in enumerate(rows):
        if not isinstance(text, str):
            raise DataError("every row is a text", where=where, received=f"{type(text).__name__} in row {row}")
    return [str(text) for text in rows]


def _check_lengths(texts: list[str], where: str, fix: str) -> None:
    for row, text in enumerate(texts):
        if len(text) != len(texts[0]):
            raise DataError(
                "all sequences have one length",
                where=where,
                received=f"{len(texts[0])} letters in row 0 and {len(text)} in row {row}",
                fix=fix,
            )


def _alphabet(alphabet: str) -> str:
    twice = next((letter for place, letter in enumerate(alphabet) if letter in alphabet[:place]), None)
    if not alphabet or twice is not None or _END in alphabet:
        received = "no letter" if not alphabet else f"{twice!r} twice" if twice is not None else "the letter '\\0'"
        raise ArgumentError(
            "an alphabet has letters, each once, and not '\\0'", where="encode_letters", received=received
        )
    return alphabet


def _encoded(texts: list[str], codes: Mapping[str, np.ndarray], where: str, fix: Callable[[str], str]) -> np.ndarray:
    width = len(next(iter(codes.values())))
    if not any(texts):
        return np.zeros((len(texts), 0, width), np.float32)
    # Through the letters' numbers, so that the loop over millions of letters is NumPy's.
    points = np.stack([np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4") for text in texts])
    known, places = np.unique(points, return_inverse=True)
    letters = [chr(point) for point in known]
    strange = next((letter for letter in letters if letter not in codes), None)
    if strange is not None:
        row, position = (int(index) for index in np.argwhere(points == ord(strange))[0])
        raise DataError(
            "letters are those of the alphabet " + "".join(key for key in codes if key != _END),
            where=where,
            received=f"{strange!r} at position {position} of row {row}",
            fix=fix(strange),
        )
    table = np.array([codes[letter] for letter in letters], np.float32).reshape(-1, width)
    return table[places].reshape(*points.shape, width)


def _dna_fix(letter: str) -> str:
    if letter in "Uu":
        return f'This is RNA. For DNA write sequence.replace("{letter}", "T")'
    return f'Where the base is not known write N: sequence.replace("{letter}", "N")'


def _letter_fix(letter: str) -> str:
    return f"Add {letter!r} to the alphabet, or remove it from the texts"
