"""Starts the processes: all of them, or one alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, Required, TypedDict, Unpack

import click

from cli.asked import Asked, pass_asked
from cli.render import note
from cli.words import LISTEN
from pki.errors import BollardError, ConflictError, InputError, UnreachableError
from pki.station import SecurityProfile

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.render import Plain
    from secproxy.config import Config
    from secproxy.edge.claim_wire import ReloadDone

_PROXY_OPTIONS = (
    click.option("--upstream", help="The CSMS's URL, ws://HOST:PORT/PATH or wss://."),
    click.option(
        "--listen", type=LISTEN, multiple=True, help="ADDRESS:PORT=PROFILE; in place of the settings' listeners."
    ),
    click.option("--workers", type=click.IntRange(0, 256), help="Proxy workers; 0 takes one for each core."),
)


class Overrides(TypedDict, total=False):
    """What the command line may say in the settings' place."""

    upstream: Required[str | None]
    listen: Required[tuple[tuple[str, int], ...]]
    workers: Required[int | None]
    web: str | None
    status: str | None
    metrics: str | None
    log_format: str | None


def log_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option that says how it writes what it has to say."""
    choice = click.Choice(["text", "json"])
    return click.option("--log-format", type=choice, help="How lines on stderr are written: for people or programs.")(
        command
    )


def proxy_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that override the proxy's settings."""
    for option in reversed(_PROXY_OPTIONS):
        command = option(command)
    return log_option(command)


@click.command()
@proxy_options
@click.option("--web", help="ADDRESS:PORT that firmware downloads are served at.")
@click.option("--status", help="ADDRESS:PORT that the status of certificates is served at.")
@click.option("--metrics", help="ADDRESS:PORT that /metrics, /healthz and /readyz are served at.")
@click.pass_context
@pass_asked
def up(asked: Asked, context: click.Context, /, **given: Unpack[Overrides]) -> None:
    """Run everything on this machine until interrupted."""
    from secproxy.edge.supervisor import run_up

    _begin(asked, "supervisor", given.get("log_format"))
    _dry(asked, "up", lambda: _read_files(asked, configured(asked, given)))
    context.exit(run_up(asked.home(), lambda: configured(asked, given), version=asked.version))


@click.command()
@proxy_options
@click.pass_context
@pass_asked
def proxy(asked: Asked, context: click.Context, /, **given: Unpack[Overrides]) -> None:
    """Run the proxy alone, beside an authority that runs already."""
    from secproxy.edge.supervisor import run_up

    _begin(asked, "supervisor", given.get("log_format"))
    _dry(asked, "proxy", lambda: _read_files(asked, configured(asked, given)))
    read = lambda: configured(asked, given)  # noqa: E731 - one word for one thing
    context.exit(run_up(asked.home(), read, authority=False, web=False, version=asked.version))


@click.command()
@pass_asked
def reload(asked: Asked) -> None:
    """Put a changed bollard.toml in force in what is up; no connection it still allows is dropped."""
    import asyncio

    from secproxy.edge.errands import ask_reload

    if asked.dry_run:
        _judge_reload(asked)
    done = asyncio.run(ask_reload(asked.home()))
    _refuse(done)
    changed: list[Plain] = list(done.changed)
    asked.record({"reloaded": True, "changed": changed})


def _refused(code: str) -> type[BollardError]:
    """What a reload that was refused is to a script: mistakes of the file and what it names, else a conflict."""
    return InputError if code.startswith(("config.", "name.", "settings.", "sink.")) else ConflictError


@click.command()
@pass_asked
def upgrade(asked: Asked) -> None:
    """Have the version that is installed now take over in what is up; no station is refused or cut off.

    It is started beside the running one, and those who are connected are let go one by one and come back to it.
    """
    import asyncio

    from secproxy.edge.errands import ask_upgrade

    done = asyncio.run(ask_upgrade(asked.home(), dry=asked.dry_run))
    if done.code:
        raise ConflictError(done.code, done.cause, done.advice)
    if asked.dry_run:
        asked.would({"call": "upgrade", "generation": done.generation, "version": done.version}, judged=True)
    if done.version != asked.version:
        note(f"WARNING: this command is version {asked.version}; what is up was started from elsewhere")
    asked.record({"upgraded": True, "generation": done.generation, "version": done.version})


@click.command()
@log_option
@pass_asked
def authority(asked: Asked, log_format: str | None) -> None:
    """Run the authority alone: the one process that holds the CA keys."""
    from pki.edge.service import rehearse_authority, run_authority

    _begin(asked, "authority", log_format)
    if asked.dry_run:
        rehearse_authority(asked.home())
    _dry(asked, "authority")
    run_authority(asked.home())


@click.command()
@log_option
@pass_asked
def web(asked: Asked, log_format: str | None) -> None:
    """Run the web process alone: firmware downloads, lists of revoked certificates, OCSP."""
    from secproxy.edge.web import run_web

    _begin(asked, "web", log_format)
    _dry(asked, "web")
    run_web(asked.home(), version=asked.version)


@click.command(hidden=True)
@click.option("--number", type=click.IntRange(0), required=True, help="Which of the workers this is.")
@click.option("--generation", type=click.IntRange(1), default=1, help="How often the code had been exchanged, from 1.")
@log_option
@pass_asked
def worker(asked: Asked, number: int, generation: int, log_format: str | None) -> None:
    """Run one proxy worker; the supervisor starts these."""
    from secproxy.edge.worker_process import run_worker

    _begin(asked, f"worker-{number}", log_format or "text")
    run_worker(asked.home(), number, generation)


def configured(asked: Asked, given: Overrides) -> Config:
    """Read the settings and lay what the command line says over them."""
    from pki.edge.home import read_settings
    from secproxy.config import ListenerConfig, parse_address, parse_config, refuse_port_zero
    from secproxy.upstreams import parse_upstream, put_in_place

    config = parse_config(read_settings(asked.home()))
    upstream, workers, web = given["upstream"], given["workers"], given.get("web")
    asked_status, metrics = given.get("status"), given.get("metrics")
    doors = [(*parse_address(address, "--listen"), SecurityProfile(profile)) for address, profile in given["listen"]]
    listeners = tuple(ListenerConfig(*door) for door in doors) or config.listeners
    refuse_port_zero(listeners, "--listen" if doors else "listener.address")
    host, port = parse_address(web, "--web") if web else (config.web.host, config.web.port)
    status = parse_address(asked_status, "--status") if asked_status else config.web.status
    return replace(
        config,
        upstreams=put_in_place(config.upstreams, parse_upstream(upstream, "--upstream"))
        if upstream
        else config.upstreams,
        listeners=listeners,
        workers=config.workers if workers is None else workers,
        web=replace(config.web, host=host, port=port, status=status),
        metrics=parse_address(metrics, "--metrics") if metrics else config.metrics,
    )


def _begin(asked: Asked, process: str, asked_format: str | None) -> None:
    """Write lines from now on as the command line says, else as the settings do."""
    from pki.edge import log
    from pki.edge.home import read_settings
    from pki.settings import parse_settings
    from secproxy.config import parse_config

    text = "" if asked_format else read_settings(asked.home())
    try:
        form = asked_format or parse_settings(text).log_format
    except InputError:
        parse_config(text)  # raises with the mistakes in all of the file
        raise
    log.begin(process, log.Form(form))


def _read_files(asked: Asked, config: Config) -> Config:
    """Read the files that these settings name, policies and secrets of collectors: what is wrong is refused alike."""
    from secproxy.edge.export.lines import refuse_unfit
    from secproxy.edge.policies import read_policies

    read_policies(asked.home(), config.policies)
    refuse_unfit(asked.home(), config)
    return config


def _judge_reload(asked: Asked) -> NoReturn:
    """Raise what the reload would, but for what only workers can try, or say what would change.

    The file is judged here first, where findings can be told in full, then by what is up, which knows what is in force.
    """
    import asyncio

    from secproxy.edge.errands import ask_reload

    config = configured(asked, {"upstream": None, "listen": (), "workers": None})
    try:
        _read_files(asked, config)
    except BollardError as wrong:
        raise _refused(wrong.code)(wrong.code, wrong.cause, wrong.advice, findings=wrong.findings) from None
    home = str(asked.home().path)
    try:
        done = asyncio.run(ask_reload(asked.home(), dry=True))
    except UnreachableError:
        note("nothing is up here: the file was judged as a start reads it")
        asked.would({"call": "reload", "home": home})
    _refuse(done)
    asked.would({"call": "reload", "home": home, "changed": [*done.changed]})


def _refuse(done: ReloadDone) -> None:
    if done.code:
        raise _refused(done.code)(done.code, done.cause, done.advice)


def _dry(asked: Asked, name: str, read: Callable[[], Config] | None = None) -> None:
    """With ``--dry-run``, say what would run instead of running it."""
    if not asked.dry_run:
        return
    config = read() if read else None
    listeners: list[Plain] = [f"{door.host}:{door.port}={door.profile}" for door in config.listeners] if config else []
    asked.would({"call": name, "home": str(asked.home().path), **({"listeners": listeners} if config else {})})
