"""The ``bollard`` command: the tree of nouns and verbs, and what each kind of error means to a script.

Rules: no traceback ever reaches a person; every error says its code, its cause and the next step; exit codes are
decided in ``EXIT_CODES`` and nowhere else. A noun's file is imported only when that noun is used.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bollard import __version__
from cli.asked import Asked, default_home
from cli.render import Output, tell_error
from pki.edge import log
from pki.errors import (
    BollardError,
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    PartialError,
    RefusedError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXIT_CODES: Final[Mapping[type[BollardError], int]] = {
    BollardError: 1,
    InputError: 2,
    ForbiddenError: 3,
    NotFoundError: 4,
    RefusedError: 5,
    UnreachableError: 6,
    ConflictError: 7,
    PartialError: 8,
}
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count

EVERYWHERE: Final = frozenset({"-o", "--output", "--home", "--yes", "--dry-run"})
"""Options that stand before the noun, as ``tree`` takes them; people put them last, and are told."""

FORMS: Final = frozenset(f"--{form}" for form in Output)
"""Options that there are none of, which other programs have and people try."""

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "cli.demo",
    "init": "cli.setup",
    "up": "cli.processes",
    "reload": "cli.processes",
    "upgrade": "cli.processes",
    "proxy": "cli.processes",
    "authority": "cli.processes",
    "web": "cli.processes",
    "worker": "cli.processes",
    "status": "cli.status",
    "doctor": "cli.doctor",
    "backup": "cli.backup",
    "restore": "cli.backup",
    "rotate": "cli.rotate",
    "explain": "cli.explain",
    "ca": "cli.ca",
    "cert": "cli.cert",
    "crl": "cli.crl",
    "ocsp": "cli.ocsp",
    "station": "cli.station",
    "event": "cli.event",
    "policy": "cli.policy",
    "firmware": "cli.firmware",
    "audit": "cli.audit",
}
"""Each noun and the file that holds it, in the order that ``--help`` lists them."""


def run(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    output = Output.TABLE
    try:
        with tree.make_context("bollard", list(argv)) as context:
            output = Output(context.params["output"])
            tree.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return _nobody_reads()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_CODES[InputError]
    except Exception as error:  # noqa: BLE001 - the last stop: whatever went wrong becomes words and an exit code
        return _fail(error, output)
    return 0


class Tree(click.Group):
    """The nouns; each is imported when it is asked for, so that every command starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the nouns in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Find a noun in its file, where it goes by the same name."""
        if cmd_name not in COMMANDS:
            return None
        found = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        assert isinstance(found, click.Command)  # noqa: S101 - the table and the files are ours
        return found


@click.group(
    cls=Tree,
    epilog="Exit codes: 0 ok, 1 error, 2 usage, 3 not permitted, 4 not found, 5 verification refused, 6 network, "
    "7 conflict, 8 partly done, 130 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--home", type=click.Path(path_type=Path), envvar="BOLLARD_HOME", help="Folder that holds everything.")
@click.option(
    "-o",
    "--output",
    type=click.Choice([form.value for form in Output]),
    default=Output.TABLE.value,
    help="Form of the data on stdout.",
)
@click.option("--yes", is_flag=True, help="Ask nothing back.")
@click.option(
    "--dry-run", is_flag=True, help="Judge what is asked as if it were done, and say what would be; change nothing."
)
@click.version_option(__version__, prog_name="bollard")
@click.pass_context
def tree(context: click.Context, home: Path | None, output: str, *, yes: bool, dry_run: bool) -> None:
    """Stand between charging stations and the CSMS: certificates, mutual TLS, signed firmware."""
    context.obj = Asked((home or default_home()).absolute(), Output(output), yes, dry_run, __version__)


def _fail(error: Exception, output: Output) -> int:
    known = as_ours(error)
    code = next(EXIT_CODES[kind] for kind in type(known).__mro__ if kind in EXIT_CODES)
    if log.form() is log.Form.JSON:  # of a process whose lines programs read
        log.complain(known, who="bollard", level=log.Level.ERROR)
    else:
        tell_error(known, output, code)
    if os.environ.get("BOLLARD_DEBUG") == "1":
        click.echo("".join(traceback.format_exception(error)), err=True)
    return code


def _nobody_reads() -> int:
    """End in silence when whoever read our output went away (``bollard ... | head``)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains while it ends
    return EXIT_CODES[BollardError]


def as_ours(error: Exception) -> BollardError:
    """Turn anything that was raised into an error with a code, a cause and a next step."""
    match error:
        case BollardError():
            return error
        case click.NoSuchOption() if error.option_name in EVERYWHERE:
            option = error.option_name
            advice = f"It stands before the command: 'bollard {option} ...'; 'bollard --help' lists all of these."
            return InputError("usage", error.format_message(), advice)
        case click.NoSuchOption() if error.option_name in FORMS:
            form = error.option_name.removeprefix("--")
            advice = f"The form stands before the command: 'bollard -o {form} ...'."
            return InputError("usage", f"No such option {error.option_name!r}.", advice)
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "bollard"
            return InputError("usage", _on_one_line(error), f"'{command} --help' shows what it takes.")
        case click.ClickException():
            return InputError("usage", _on_one_line(error), "'bollard --help' shows what there is.")
        case OSError():
            return _from_system(error)
        case _:
            says = f"an unexpected {type(error).__name__}; this is a fault in bollard, not in what you did"
            return BollardError("internal", says, "Run it again with BOLLARD_DEBUG=1 and report what it prints.")


def _on_one_line(error: click.ClickException) -> str:
    return " ".join(error.format_message().split())


def _from_system(error: OSError) -> BollardError:
    says = f"{error.strerror or type(error).__name__}: {str(error.filename or '')[:200]!r}"
    match error:
        case FileNotFoundError():
            return NotFoundError("file.missing", says, "Check the path.")
        case PermissionError():
            return ForbiddenError("file.forbidden", says, "Run it as the user who owns the file.")
        case FileExistsError():
            return ConflictError("file.exists", says, "Choose another path, or add --yes to replace the file.")
        case _:
            return BollardError("system", says, "The operating system said so; put it right there and try again.")
