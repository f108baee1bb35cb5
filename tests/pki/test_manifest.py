"""A backup is compared with its manifest before a byte of it is used, and every disagreement is told."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.errors import RefusedError
from pki.manifest import Listed, Manifest, Member, examine, is_safe, read_manifest, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("bollard.toml", "ledger.db", "keys/audit.pem")
MANIFEST = Manifest(
    "1.0",
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "csms.example.org/bollard/audit",
    3,
    "checkpoint",
    images=True,
    passphrase=False,
    members={name: Member(10, "00" * 32) for name in NAMES},
)
LISTED = [Listed(name, 10, plain=True) for name in NAMES]


def test_a_manifest_is_read_as_it_was_written() -> None:
    """Times, sizes and all."""
    assert read_manifest(write_manifest(MANIFEST)) == MANIFEST
    examine(MANIFEST, LISTED, 1_000)


@pytest.mark.parametrize(
    ("listed", "code"),
    [
        ([*LISTED, Listed("ca/more.pem", 1, plain=True)], "backup.member"),
        (LISTED[:-1], "backup.member"),
        ([*LISTED[:-1], Listed(NAMES[2], 11, plain=True)], "backup.member"),
        ([*LISTED, LISTED[0]], "backup.member"),
        ([*LISTED[:-1], Listed(NAMES[2], 10, plain=False)], "backup.kind"),
        ([*LISTED, Listed("../bollard.toml", 1, plain=True)], "backup.name"),
    ],
    ids=["unlisted", "missing", "another size", "twice", "a link", "outside"],
)
def test_every_disagreement_refuses_it(listed: list[Listed], code: str) -> None:
    """And is named."""
    with pytest.raises(RefusedError) as refused:
        examine(MANIFEST, listed, 1_000)
    assert code in {finding.code for finding in refused.value.findings}


def test_a_backup_without_what_makes_a_home_is_refused() -> None:
    """However well it agrees with itself."""
    empty = msgspec.structs.replace(MANIFEST, members={})
    with pytest.raises(RefusedError, match=r"'ledger\.db' is not in it"):
        examine(empty, [], 1_000)


def test_files_larger_than_their_archive_are_no_files() -> None:
    """Sizes are bounded by what is there."""
    with pytest.raises(RefusedError, match="larger than the whole"):
        examine(MANIFEST, LISTED, 29)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        ".hidden",
        "a/.b",
        "a\\b",
        "a\nb",
        "a/b/c/d/e/f/g",
        "a/",
        "./a",
        "a\0b",
    ],
)
def test_a_name_that_could_lead_elsewhere_is_not_safe(name: str) -> None:
    """Absolute, upwards, hidden, or with what a terminal or another system would read otherwise."""
    assert not is_safe(name)


@pytest.mark.parametrize(
    "name", ["ledger.db", "keys/audit.pem", "vault/sha256/ab/abc", "ca/my root.pem", "journal/w-1.jsonl"]
)
def test_a_home_s_own_names_are_safe(name: str) -> None:
    """Blanks and other letters among them."""
    assert is_safe(name)


@pytest.mark.parametrize(
    "spoil",
    [lambda text: text[:0], lambda text: text[:-5], lambda text: text[:1] * 100_000, lambda text: text[:1] + b"}"],
    ids=["empty", "cut", "nested", "another"],
)
def test_what_is_no_manifest_is_refused_in_words(spoil: Callable[[bytes], bytes]) -> None:
    """It comes from a file that anybody may have made."""
    with pytest.raises(RefusedError, match=r"backup\.manifest"):
        read_manifest(spoil(write_manifest(MANIFEST)))


def test_a_newer_form_is_left_to_the_version_that_wrote_it() -> None:
    """Rather than half understood."""
    newer = msgspec.structs.replace(MANIFEST, schema_version=2, version="9.9")
    with pytest.raises(RefusedError, match=r"9\.9"):
        read_manifest(write_manifest(newer))
