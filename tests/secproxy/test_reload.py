"""A changed bollard.toml is told to those who read it, and to nobody else."""

from __future__ import annotations

import pytest

from pki.errors import InputError
from secproxy.config import KNOWN_KEYS
from secproxy.reload import READERS, Reader, changed, differing, readers, starting

BEFORE = """
[organisation]
name = "Example"
[csms]
host = "csms.example.org"
upstream = "ws://127.0.0.1:1"
certificate_hours = 24
[[listener]]
address = "127.0.0.1:8443"
profile = 3
[web]
address = "127.0.0.1:8440"
[proxy]
workers = 2
"""


def test_every_table_of_the_file_has_a_reader() -> None:
    """A table that nobody were told of would change in silence."""
    assert {name.partition(".")[0] for name in READERS} == set(KNOWN_KEYS)
    for name in READERS:
        table, _, key = name.partition(".")
        assert not key or key in KNOWN_KEYS[table]
        assert readers(name)


@pytest.mark.parametrize(
    ("old", "new", "tables", "told"),
    [
        ("", "", (), set()),
        ("# a remark\n[csms]", "[csms]", (), set()),
        ("ws://127.0.0.1:1", "ws://127.0.0.1:2", ("csms.upstream",), {Reader.WORKER}),
        ("= 24", "= 48", ("csms.certificate_hours",), {Reader.AUTHORITY}),
        ("certificate_hours = 24", "", ("csms.certificate_hours",), {Reader.AUTHORITY}),
        ("profile = 3", "profile = 2", ("listener",), {Reader.WORKER}),
        ("8440", "8441", ("web",), {Reader.WEB, Reader.AUTHORITY}),
        ("[proxy]", "[events]\nkeep_days = 3\n[proxy]", ("events",), {Reader.WEB}),
        ("[proxy]", "[traces]\nratio = 1\n[proxy]", ("traces",), {Reader.WORKER, Reader.WEB}),
        ("workers = 2", "workers = 3", ("proxy.workers",), {Reader.WORKER}),
        ("127.0.0.1", "127.0.0.2", ("csms.upstream", "listener", "web"), set(Reader) - {Reader.NOBODY}),
    ],
)
def test_what_changed_is_named_and_so_is_who_reads_it(
    old: str, new: str, tables: tuple[str, ...], told: set[Reader]
) -> None:
    """Remarks and order change nothing; a key with a reader of its own is told apart from its table."""
    before = BEFORE.replace("[csms]", "# a remark\n[csms]")
    found = changed(before, before.replace(old, new) if old else before)
    assert found == tables
    assert frozenset[Reader]().union(*map(readers, found)) == told


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("Example", "Other", "organisation"),
        ("csms.example.org", "csms.example.com", "csms.host"),
        ("workers = 2", "workers = 2\nworker_mib = 4096", "proxy.worker_mib"),
    ],
)
def test_what_a_home_is_founded_on_takes_a_new_start(old: str, new: str, name: str) -> None:
    """The error names what was changed."""
    with pytest.raises(InputError) as refused:
        changed(BEFORE, BEFORE.replace(old, new))
    assert refused.value.code == "config.fixed"
    assert f"[{name}]" in refused.value.cause


def test_all_that_takes_a_new_start_is_named_at_once() -> None:
    """Nobody finds out one by one; what would be taken in as it runs is told apart."""
    after = BEFORE.replace("Example", "Other").replace("csms.example.org", "csms.example.com").replace("= 24", "= 48")
    found = differing(BEFORE, after)

    assert found == ("csms.certificate_hours", "csms.host", "organisation")
    assert starting(found) == ("csms.host", "organisation")
    with pytest.raises(InputError, match=r"\[csms\.host\], \[organisation\]"):
        changed(BEFORE, after)
