"""The program around the verbs: help without heavy imports, suggestions, exit codes, broken pipes."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys

import click
import numpy as np
import pytest

from convista.cli.program import VERBS, Interrupted, Session, Verb, Verbs, run
from convista.errors import (
    ArgumentError,
    ConvistaError,
    DataError,
    DivergedError,
    MemoryLimitError,
    ModelFileError,
)

HEAVY = ("jax", "numpy", "matplotlib", "optax", "PIL", "rich")


def convista(*words, **settings):
    return subprocess.run(
        [sys.executable, "-m", "convista", *words], capture_output=True, text=True, check=False, timeout=60, **settings
    )


@pytest.mark.parametrize("words", [[], ["--help"], ["data", "--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_imports_nothing_heavy(words):
    code = f"import sys; from convista.cli import main; main({words!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: convista" in done.stdout
    assert not set(HEAVY) & set(done.stderr.split())


def test_help_answers_in_less_than_a_third_of_a_second():
    # Processor time, as the time on the wall is that of all other tests and programs too.
    assert min(_seconds(["-m", "convista", "--help"]) for _ in range(3)) < 0.3


def _seconds(words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example_in_its_help(verb, capsys):
    assert run([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Example" in out
    assert f"  convista {verb}" in out


@pytest.mark.parametrize("words", [*([verb] for verb in VERBS if verb != "data"), ["data", "list"], ["data", "show"]])
def test_every_verb_has_json_and_debug(words, capsys):
    run([*words, "--help"])
    out = capsys.readouterr().out
    assert "--json" in out
    assert "--debug" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["data", "lst"], "No such command 'lst'. Did you mean 'list'?"),
        (
            ["zzz"],
            "No such command 'zzz'. Known: attribute, data, demo, doctor, evaluate, excite, explain, filter, maps, "
            "maximize, predict, prune, report, shift, summary, train.",
        ),
        (["train", "digits", "--quie"], "No such option '--quie'. Did you mean '--quiet'?"),
        (["train"], "Missing argument 'DATA'."),
        (["predict", "run"], "Missing argument 'PICTURE...'."),
        (["train", "digits", "--epochs", "0"], "Invalid value for '--epochs': 0 is not in the range x>=1."),
        (
            ["summary", "lecture-dense", "--input", "28,no"],
            "Invalid value for '--input': '28,no' is not a shape. "
            "Write height, width and channels, for example 28,28,1.",
        ),
    ],
)
def test_mistyped_words(words, message, capsys):
    assert run(words) == 2
    printed = capsys.readouterr()
    assert printed.err.endswith(f"\nError: {message}\n")
    assert printed.out == ""


def failing(error):
    @click.command("fail", cls=Verb)
    def fail():
        raise error

    return click.Group("convista", {"fail": fail})


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConvistaError("the rule"), 1, "Error: the rule.\n"),
        (ArgumentError("a is 1", received="a=2", fix="Use 1"), 2, "Error: a is 1. Received a=2. Use 1.\n"),
        (DataError("no"), 3, "Error: no.\n"),
        (ModelFileError("no", where="a.convista"), 3, "Error: a.convista: no.\n"),
        (DivergedError("NaN"), 4, "Error: NaN.\n"),
        (MemoryLimitError("too big"), 5, "Error: too big.\n"),
        (
            MemoryError(),
            5,
            "Error: the memory of this machine is not enough. Try a smaller --batch-size or a smaller model.\n",
        ),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes"),
            5,
            "Error: the memory of this machine is not enough. Try a smaller --batch-size or a smaller model.\n",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "runs/a"), 1, "Error: runs/a: No space left on device.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (Interrupted(2), 130, ""),
        (Interrupted(15), 143, ""),
        (
            RuntimeError("first\nsecond"),
            1,
            "Error inside convista (RuntimeError: first). "
            "Please run the same command with --debug and report what it prints.\n",
        ),
    ],
)
def test_exit_codes_and_messages_without_traceback(error, code, message, capsys):
    assert run(["fail"], failing(error)) == code
    printed = capsys.readouterr()
    assert printed.err == message
    assert printed.out == ""


def test_debug_shows_the_traceback(capsys):
    assert run(["fail", "--debug"], failing(DataError("no"))) == 3
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback (most recent call last):\n")
    assert printed.endswith("\nError: no.\n")


@pytest.mark.parametrize(
    "words", [["--debug", "summary", "nothing.convista"], ["summary", "nothing.convista", "--debug"]]
)
def test_debug_works_before_and_after_the_verb(words, capsys):
    assert run(words) == 3
    assert "Traceback" in capsys.readouterr().err


def test_show_writes_text_or_one_strict_document(capsys):
    Session().show("text", {})
    assert capsys.readouterr().out == "text\n"
    Session(json=True).show("text", {"a": np.float32(0.5), "b": float("nan"), "c": np.arange(2), "д": "є"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": 0.5, "b": None, "c": [0, 1], "д": "є"}
    assert "є" in out
    Session(json=True).tell("text for people")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["--help"], ["data", "--help"]])
def test_a_reader_that_leaves_early_is_no_error(words):
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "{sys.executable}" -m convista {" ".join(words)} | true'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_result_nobody_reads():
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from convista.cli.program import run; import click\n"
    code += "from convista.cli.program import Verb\n"
    code += "@click.command('say', cls=Verb)\n@click.pass_obj\ndef say(session):\n    session.show('x' * 100000, {})\n"
    code += "sys.exit(run(['say'], click.Group('convista', {'say': say})))"
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_terminal_that_cannot_show_a_character(tmp_path):
    code = "import sys; from convista.cli.program import run; import click\n"
    code += "from convista.cli.program import Verb\n"
    code += "@click.command('say', cls=Verb)\n@click.pass_obj\ndef say(session):\n    session.show('3×3', {})\n"
    code += "sys.exit(run(['say'], click.Group('convista', {'say': say})))"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "3?3\n"


def test_lazy_verbs_are_found_by_name():
    group = Verbs("convista", modules={"summary": "convista.cli.summary"})
    context = click.Context(group)
    assert group.list_commands(context) == ["summary"]
    assert group.get_command(context, "summary").name == "summary"
    assert group.get_command(context, "other") is None


def test_module_form():
    done = convista("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: convista ")
    assert convista("trian").returncode == 2
    assert convista("--version").stdout.startswith("convista 0.")
