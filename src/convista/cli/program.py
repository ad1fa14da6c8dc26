"""The program `convista`: finds the verb, runs it, and turns every error into one readable message and an exit code."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

import convista
from convista.errors import ConvistaError, suggest

VERBS = (
    "demo",
    "train",
    "evaluate",
    "predict",
    "report",
    "summary",
    "explain",
    "trace",
    "slide",
    "maps",
    "excite",
    "maximize",
    "shift",
    "attribute",
    "doctor",
    "prune",
    "filter",
    "data",
)
FAILED, WRONG_USAGE, OUT_OF_MEMORY, INTERRUPTED = 1, 2, 5, 130


@dataclass
class Session:
    """What the options that every verb has were set to.

    Args:
        arguments: The words after ``convista``.
        json: The result goes to standard output as one JSON document.
        debug: Errors show their traceback.
    """

    arguments: tuple[str, ...] = ()
    json: bool = False
    debug: bool = False

    def show(self, text: str, document: Any) -> None:
        """Write the result to standard output: the text for people, or the document with ``--json``."""
        from convista.insight.runs import finite

        if self.json:
            text = json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False, default=str)
        self.write(text)

    def tell(self, text: str) -> None:
        """Write a part of the text for people as soon as it is known; ``--json`` leaves it out."""
        if not self.json:
            self.write(text)

    def write(self, text: str) -> None:
        """Write a line to standard output.

        Raises:
            Unread: The reader has gone, as in ``convista data list | head -1``.
        """
        try:
            print(text, flush=True)
        except BrokenPipeError as error:
            raise Unread from error


class Unread(Exception):
    """Nobody reads standard output any more; what was asked for is done or not wanted."""


class Interrupted(Exception):
    """A signal ended the training in good order; everything there is to say has been said.

    Args:
        signal: Its number.
    """

    def __init__(self, signal: int):
        super().__init__(signal)
        self.signal = signal


class Verb(click.Command):
    """A verb with the two options that all of them have."""

    def __init__(self, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **settings)
        self.params += [
            _session_option("--json", "json", "Print the result as one JSON document."),
            _session_option("--debug", "debug", "Show the traceback of an error."),
        ]


class Verbs(click.Group):
    """Verbs that are imported when they are asked for, with a suggestion for a mistyped one.

    Args:
        modules: Verb → the module that has it, under its own name.
    """

    command_class = Verb

    def __init__(self, *arguments: Any, modules: dict[str, str] | None = None, **settings: Any):
        super().__init__(*arguments, **settings)
        self.modules = modules or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which people meet them."""
        return [*self.modules, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        if cmd_name not in self.modules:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(importlib.import_module(self.modules[cmd_name]), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb among the words, or say which one was meant."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(f"No such command {args[0]!r}. {suggest(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


def _session_option(flag: str, name: str, text: str) -> click.Option:
    def keep(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            setattr(context.ensure_object(Session), name, True)

    return click.Option([flag], is_flag=True, is_eager=True, expose_value=False, callback=keep, help=text)


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"convista {convista.__version__}")
        context.exit()


@click.group(
    cls=Verbs,
    modules={verb: f"convista.cli.{verb}" for verb in VERBS},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start here: convista demo",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def program() -> None:
    """Convolutional networks that train fast on the machine you have, and that you can see into."""


program.params.append(_session_option("--debug", "debug", "Show the traceback of an error."))


def run(arguments: Sequence[str] | None = None, commands: click.Group = program) -> int:
    """Run one command line.

    Args:
        arguments: The words after ``convista``; None takes them from the command line.
        commands: The verbs; a test brings its own.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    session = Session(tuple(words))
    _make_writable(sys.stdout)
    _make_writable(sys.stderr)
    try:
        with commands.make_context("convista", words or ["--help"], obj=session) as context:
            commands.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except Unread:
        _close(sys.stdout)
        return 0
    except Interrupted as stop:
        return 128 + stop.signal
    except (KeyboardInterrupt, click.Abort):
        return _say("Interrupted.", INTERRUPTED, session)
    except BrokenPipeError:
        _close(sys.stdout)
        _close(sys.stderr)
        return FAILED
    except Exception as error:
        return _explain(error, session)
    return 0


def _explain(error: Exception, session: Session) -> int:
    if isinstance(error, click.ClickException):
        if session.debug:
            traceback.print_exc()
        error.show()
        return error.exit_code
    if isinstance(error, ConvistaError):
        return _say(f"Error: {error}", error.exit_code, session)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        fix = "Try a smaller --batch-size or a smaller model."
        return _say(f"Error: the memory of this machine is not enough. {fix}", OUT_OF_MEMORY, session)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _say(f"Error: {where}{error.strerror}.", FAILED, session)
    line = f"Error inside convista ({type(error).__name__}: {_first_line(error)})."
    return _say(f"{line} Please run the same command with --debug and report what it prints.", FAILED, session)


def _say(message: str, code: int, session: Session) -> int:
    if session.debug:
        traceback.print_exc()
    click.echo(message, err=True)
    return code


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no message"


def _make_writable(stream: Any) -> None:
    """A terminal that cannot show a character gets a question mark, never a crash."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="replace")


def _close(stream: Any) -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain when it exits."""
    try:
        handle = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return  # a stream that a test or a host program put in place has no pipe to break
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, handle)
    os.close(nowhere)
