"""Letters as numbers: ambiguous bases share, strange letters are named, tables are read as they stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convista.data import encode_dna, encode_letters, load_sequences, read_sequences
from convista.data.sequences import BASES, IUPAC
from convista.errors import ArgumentError, DataError


def slow_code(letter: str) -> list[float]:
    bases = IUPAC[letter]
    return [bases.count(base) / len(bases) for base in "ACGT"]


@given(st.integers(1, 9).flatmap(lambda size: st.lists(st.text(list(IUPAC), min_size=size, max_size=size), min_size=1)))
def test_every_letter_shares_one_among_its_bases(sequences):
    encoded = encode_dna(sequences)
    expected = np.array([[slow_code(letter) for letter in text] for text in sequences], np.float32)
    np.testing.assert_array_equal(encoded, expected)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded.sum(axis=2), 1, atol=1e-6)
    assert np.abs(encoded - np.roll(expected, 1, axis=2)).max() > 0  # another order of the bases would be seen


def test_the_letters_are_those_of_iupac():
    # Cornish-Bowden 1985: the complement of a set of bases is the set of their complements.
    complement = dict(zip("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN", strict=True))
    assert set(complement) == set(IUPAC)
    for letter, other in complement.items():
        assert {complement[base] for base in IUPAC[letter]} == set(IUPAC[other])
    assert len({frozenset(bases) for bases in IUPAC.values()}) == 2 ** len(BASES) - 1


def test_a_filters_response_to_an_ambiguous_letter_is_the_mean_over_its_bases():
    weights = np.random.default_rng(0).normal(size=(3, 4))
    respond = lambda text: (encode_dna([text])[0] * weights).sum()  # noqa: E731
    assert respond("ADT") == pytest.approx(np.mean([respond("AAT"), respond("AGT"), respond("ATT")]), abs=1e-6)
    assert respond("ANT") != pytest.approx(respond("ADT"), abs=1e-3)


def test_small_letters_count_like_large_ones_and_sharp_s_is_none():
    np.testing.assert_array_equal(encode_dna(["acgtn"]), encode_dna(["ACGTN"]))
    with pytest.raises(DataError, match="'ß' at position 1 of row 0"):
        encode_dna(["Aß"])


def test_nothing_to_encode():
    assert encode_dna([]).shape == (0, 0, 4)
    assert encode_dna(["", ""]).shape == (2, 0, 4)
    assert encode_letters([], "ab", 3).shape == (0, 0, 2)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        (
            ["ACGT", "ACXT"],
            "encode_dna: letters are those of the alphabet ACGTRYSWKMBDHVN. Received 'X' at position 2 of row 1. "
            'Where the base is not known write N: sequence.replace("X", "N").',
        ),
        (
            ["ACGU"],
            "encode_dna: letters are those of the alphabet ACGTRYSWKMBDHVN. Received 'U' at position 3 of row 0. "
            'This is RNA. For DNA write sequence.replace("U", "T").',
        ),
        (
            ["acgu"],
            "encode_dna: letters are those of the alphabet ACGTRYSWKMBDHVN. Received 'u' at position 3 of row 0. "
            'This is RNA. For DNA write sequence.replace("u", "T").',
        ),
        (
            ["ACGT", "ACG"],
            "encode_dna: all sequences have one length. Received 4 letters in row 0 and 3 in row 1. "
            'Pad with the unknown base: sequence.ljust(length, "N").',
        ),
        ("ACGT", "encode_dna: several texts are encoded together. Received a single text. Put it in a list: [text]."),
        (["A", b"A"], "encode_dna: every row is a text. Received bytes in row 1."),
    ],
)
def test_mistakes_in_dna(sequences, message):
    with pytest.raises(DataError) as caught:
        encode_dna(sequences)
    assert str(caught.value) == message


def test_letters_of_any_alphabet_end_in_zeros():
    encoded = encode_letters(["їжак", "є"], "єїжак", 5)
    assert encoded.shape == (2, 5, 5)
    assert encoded[0].argmax(axis=1).tolist() == [1, 2, 3, 4, 0]
    assert encoded[0].sum(axis=1).tolist() == [1, 1, 1, 1, 0]
    assert encoded[1].sum() == 1


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            (["ab", "ax"], "ab", 2),
            DataError,
            "encode_letters: letters are those of the alphabet ab. Received 'x' at position 1 of row 1. "
            "Add 'x' to the alphabet, or remove it from the texts.",
        ),
        (
            (["ab", "aba"], "ab", 2),
            DataError,
            "encode_letters: texts have at most length=2 letters. Received 3 in row 1. "
            "Cut them, text[:2], or give length=3.",
        ),
        (
            (["ab"], "aba", 2),
            ArgumentError,
            "encode_letters: an alphabet has letters, each once, and not '\\0'. Received 'a' twice.",
        ),
        (
            (["ab"], "", 2),
            ArgumentError,
            "encode_letters: an alphabet has letters, each once, and not '\\0'. Received no letter.",
        ),
        (
            (["ab"], "ab", 0),
            ArgumentError,
            "encode_letters: length is a whole number from 1 on. Received length=0.",
        ),
    ],
)
def test_mistakes_in_texts(arguments, kind, message):
    with pytest.raises(kind) as caught:
        encode_letters(*arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("header", ["", "target,whatever,sequence\n"])
def test_a_table_with_and_without_a_header(tmp_path, header):
    file = tmp_path / "d.csv"
    file.write_text(f"{header}N,   last,   ACGT\nEI, first,AANN\n\nN,x,\tTTTT\n", encoding="utf-8-sig")
    found = read_sequences(file)
    assert found.sequences == ("ACGT", "AANN", "TTTT")
    assert (found.classes, found.y.tolist(), found.names) == (("EI", "N"), [1, 0, 1], ("last", "first", "x"))
    assert found.y.dtype == np.int32
    assert len(found) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"EI,a,ACGT\nEI,ACGT\n", "{file}, line 2: a row has 3 columns: class, name, sequence. Received 2."),
        (b"EI,a,ACGT\n\nIE,b, \n", "{file}, line 3: the sequence is not empty. Received nothing."),
        (b"target,whatever,sequence\n", "{file}: there is at least one sequence. Received none."),
        (b"", "{file}: there is at least one sequence. Received none."),
    ],
)
def test_damaged_tables(tmp_path, content, message):
    file = tmp_path / "d.csv"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_sequences(file)
    assert str(caught.value) == message.format(file=file)


@pytest.mark.parametrize("content", [b"\xff\xfe,a,b\n", b'EI,a,"ACGT\n', b"EI,a," + b"A" * 200_000])
def test_what_is_no_table_is_named(tmp_path, content):
    file = tmp_path / "d.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match="a table of sequences is text with commas between its columns"):
        read_sequences(file)


def test_a_table_that_is_too_large_is_not_read(tmp_path):
    file = tmp_path / "d.csv"
    file.write_bytes(b"EI,a,ACGT\n" * 10)
    assert len(read_sequences(file, largest=100)) == 10
    with pytest.raises(DataError, match="a table of sequences may have at most 99 bytes"):
        read_sequences(file, largest=99)


def test_splice_is_looked_for_where_the_data_is(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVISTA_DATA", str(tmp_path))
    fix = (
        "Set CONVISTA_DATA to a folder with genome/splice.csv; UCI publishes it as "
        "«Molecular Biology (Splice-junction Gene Sequences)»."
    )
    with pytest.raises(DataError) as caught:
        load_sequences("splice")
    looked = f"{tmp_path / 'genome' / 'splice.csv'}, {tmp_path / 'splice.csv'}"
    assert str(caught.value) == f"sequences 'splice': the file was not found. Looked in {looked}. {fix}"
    monkeypatch.delenv("CONVISTA_DATA")
    with pytest.raises(DataError) as caught:
        load_sequences("splice")
    looked = "no folder: CONVISTA_DATA is not set"
    assert str(caught.value) == f"sequences 'splice': the file was not found. Looked in {looked}. {fix}"


def test_another_table_is_not_taken_for_splice(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVISTA_DATA", str(tmp_path))
    (tmp_path / "splice.csv").write_text("EI,a,ACGT\nEI,b,ACG\n")
    with pytest.raises(DataError) as caught:
        load_sequences("splice")
    assert str(caught.value) == (
        f"{tmp_path / 'splice.csv'}: splice has sequences of 60 letters in the classes "
        "{'EI': 767, 'IE': 768, 'N': 1655}. Received {'EI': 2} and lengths from 3 to 4. Put the published file there."
    )


def test_an_unknown_name():
    with pytest.raises(ArgumentError) as caught:
        load_sequences("splise")
    assert str(caught.value) == (
        "load_sequences: there are no sequences of this name. Received 'splise'. Did you mean 'splice'?"
    )


def test_the_real_splice(data_folder):
    splice = load_sequences("splice")
    assert (len(splice), splice.classes) == (3190, ("EI", "IE", "N"))
    assert "Licence: none stated with the file. " in splice.source
    letters = "".join(splice.sequences)
    assert {letter: letters.count(letter) for letter in "DNRS"} == {"D": 2, "N": 56, "R": 1, "S": 1}
    assert encode_dna(splice.sequences).shape == (3190, 60, 4)
    assert len(set(splice.sequences)) == 3005
