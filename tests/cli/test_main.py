"""The tree of commands, the exit codes, and what a person reads when something goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from bollard import __version__
from cli.main import COMMANDS, EXIT_CODES, as_ours, run, tree
from pki import errors
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Bollard

SECRET = "correct horse battery staple"


def every_command(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Walk the tree."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from every_command(found, (*path, name))


ALL = dict(every_command(tree))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("BollardError", 1),
        ("InputError", 2),
        ("ForbiddenError", 3),
        ("NotFoundError", 4),
        ("RefusedError", 5),
        ("UnreachableError", 6),
        ("ConflictError", 7),
        ("PartialError", 8),
    ],
)
def test_each_error_class_has_its_exit_code(kind: str, code: int) -> None:
    """Scripts depend on these numbers."""
    assert EXIT_CODES[getattr(errors, kind)] == code


def test_no_error_class_is_without_an_exit_code() -> None:
    """A class added to the tree must be placed in the table."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BollardError)}

    assert kinds == set(EXIT_CODES)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_says_what_it_is_for(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` works everywhere and each option is explained."""
    command = ALL[path]

    assert run([*path, "--help"]) == 0
    assert command.help
    assert command.help.split("\n")[0] in " ".join(capsys.readouterr().out.split())
    assert [param.name for param in command.params if isinstance(param, click.Option) and not param.help] == []


def test_the_nouns_are_listed_except_the_workers(capsys: pytest.CaptureFixture[str]) -> None:
    """``bollard --help`` names every noun that a person may use."""
    run(["--help"])
    listed = {
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ") and line.split()
    }

    assert set(COMMANDS) - {"worker"} <= listed
    assert "worker" not in listed


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints what is installed."""
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [[], ["nosuch"], ["station"], ["station", "add"], ["--nosuch"], ["-o", "xml", "status"]]
)
def test_wrong_usage_ends_with_two(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be understood is usage, and nothing is printed on stdout."""
    assert run(words) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [("-o", "csv"), ("--output", "csv"), ("--yes",), ("--dry-run",)])
def test_an_option_in_the_wrong_place_is_told_its_place(bollard: Bollard, words: tuple[str, ...]) -> None:
    """People put it last; the command's own help would not help them."""
    told = bollard("station", "list", *words)

    assert told.code == 2
    assert f"It stands before the command: 'bollard {words[0]} ...'" in told.err


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_a_form_that_is_asked_for_as_elsewhere_is_told_how_it_is_here(bollard: Bollard, form: str) -> None:
    """``--json`` is what people try first."""
    told = bollard("status", f"--{form}")
    assert (told.code, f"'bollard -o {form} ...'" in told.err) == (2, True)


def test_an_error_takes_one_line_whatever_the_library_makes_of_it(bollard: Bollard) -> None:
    """Choices of a missing option come in a list of many lines."""
    told = bollard("event", "export")
    assert told.err.splitlines()[0].endswith("Choose from: jsonl, rfc5424, cef, ecs, otlp")


def test_an_error_says_code_cause_and_next_step(bollard: Bollard) -> None:
    """Three lines that a person can act on."""
    told = bollard("station", "add", "CP:1", "--serial", "S1", "--profile", "3")

    assert told.code == 2
    assert told.err.startswith("error[name.identity]: ")
    assert "A00.FR.204" in told.err
    assert "\nnext: " in told.err


def test_an_error_is_json_where_json_was_asked_for(bollard: Bollard) -> None:
    """Programs read the same facts from stderr; stdout stays empty."""
    told = bollard("-o", "json", "station", "add", "CP:1", "--serial", "S1", "--profile", "3")
    said = json.loads(told.err)

    assert told.out == ""
    assert said["exit_code"] == told.code == 2
    assert said["error"]["code"] == "name.identity"


def test_a_fault_of_ours_shows_neither_traceback_nor_contents(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an unexpected exception carries may be secret, so only its class is named."""
    said = as_ours(KeyError(SECRET))

    assert (said.code, EXIT_CODES[type(said)]) == ("internal", 1)
    assert SECRET not in str(said)
    assert "BOLLARD_DEBUG=1" in said.advice


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (FileNotFoundError(2, "No such file", "x"), "file.missing", 4),
        (PermissionError(13, "Permission denied", "x"), "file.forbidden", 3),
        (FileExistsError(17, "File exists", "x"), "file.exists", 7),
        (OSError(28, "No space left on device", "x"), "system", 1),
    ],
)
def test_what_the_system_refuses_has_a_code_too(error: OSError, code: str, exit_code: int) -> None:
    """An error of the operating system reads like one of ours."""
    said = as_ours(error)

    assert (said.code, EXIT_CODES[type(said)]) == (code, exit_code)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """``bollard --help`` starts without cryptography, databases, web servers and the ocpp package."""
    heavy = "{'cryptography', 'sqlite_utils', 'starlette', 'uvicorn', 'ocpp', 'OpenSSL', 'rich'}"
    program = f"import sys, bollard; from cli.main import run; run(['--version']); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "set()"


def test_the_installed_command_exits_with_the_code() -> None:
    """``python -m bollard`` hands the exit code to the shell, and its talk to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "bollard", "explain", "no.such"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.startswith("error[explain.unknown]")
    assert "Traceback" not in done.stderr


def test_a_reader_who_leaves_ends_the_command_in_silence() -> None:
    """``bollard ... | head -1`` leaves no complaint on the terminal."""
    argv = [sys.executable, "-m", "bollard", "--help"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        assert process.wait(10) == 1
        assert process.stderr.read() == ""
