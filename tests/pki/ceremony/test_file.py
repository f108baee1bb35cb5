"""The file is read whole or refused with all that is wrong with it, each with its line and its clause."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.ceremony.file import parse_ceremony
from pki.ceremony.terms import FILE_BYTES, PLACE_LENGTH, ROOT_KEYS, NewRoot
from pki.edge.keys import make
from pki.errors import InputError
from pki.services import Published
from pki.strength import kind_of
from tests.ceremonies import MOMENT, NAMES, WITNESSES, Held, ceremony, text_of


def wrong(text: str) -> InputError:
    """The refusal of a text."""
    with pytest.raises(InputError) as refusal:
        parse_ceremony(text.encode())
    assert refusal.value.code == "ceremony.wrong"
    return refusal.value


def test_a_template_is_a_ceremony() -> None:
    """Everything in it is read, and the digest is that of the very bytes."""
    found = ceremony()

    assert isinstance(found.root, NewRoot)
    assert (found.moment, found.witnesses) == (MOMENT, WITNESSES)
    assert found.root.profile.is_ca


def test_the_digest_is_that_of_the_file_s_bytes(held: Held) -> None:
    """What ``sha256sum`` says on anybody's machine."""
    assert held.done.ceremony.digest == hashlib.sha256(held.file.read_bytes()).hexdigest()


MISTAKES = [
    ("organisation = |organisation = 7 #", "organisation", ""),
    ("version = 1|version = 2", "version", ""),
    ("moment = 2026-06-01T12:00:00Z|moment = 2026-06-01", "moment", "RFC 5280 4.1.2.5"),
    ('key = "ec-p384"|key = "rsa-1024"', "key", "A00.FR.501"),
    ('key = "ec-p384"|key = 3', "key", ""),
    ('profile = "root"|profile = "nosuch"', "profile", ""),
    ("days = 7305|days = 0", "days", "RFC 5280 4.1.2.5"),
    ("days = 7305|days = 99999", "days", "RFC 5280 4.1.2.5"),
    ('serial = "|serial = "zz', "serial", "RFC 5280 4.1.2.2"),
    ('common_name = "Bollard Root CA"|common_name = ""', "common_name", "RFC 5280 A.1"),
    ("number = 1|number = 0", "number", "RFC 5280 5.2.3"),
    ("days = 365|days = 0", "days", "RFC 5280 5.1.2.5"),
    ("[crl]|[crl]\nsurprise = 1", "surprise", ""),
    ('name = "Bob Example"|name = "ADA Example"', "witness", ""),
    ('purpose = "root"|purpose = "issuing"\npath_length = 0', "profile", "RFC 5280 3.2"),
    ("is_ca = true|is_ca = false", "is_ca", ""),
    ("[root]|[roof]", "roof", ""),
]


PLACES = '[published]\ncrl = "http://ca.example.org/root.crl"\ncertificate = "http://ca.example.org:80/a/root.crt"\n\n'


def placed(crl: str = "http://ca.example.org/root.crl") -> str:
    """A good file that says where the root's list will be found."""
    return text_of(change=f"[crl]|{PLACES}[crl]").replace("http://ca.example.org/root.crl", crl)


def test_where_the_list_will_be_found_is_read_or_nowhere() -> None:
    """A file that is silent says nothing."""
    assert ceremony().published is None
    assert ceremony(placed()).published == Published(
        "http://ca.example.org/root.crl", "http://ca.example.org:80/a/root.crt"
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "root.crl",
        "https://ca.example.org/root.crl",
        "ldap://ca.example.org/root.crl",
        "http://ca.example.org",
        "http://ada:secret@ca.example.org/root.crl",
        "http://ca.example.org/root.crl?newest",
        "http://ca.example.org/root.crl#now",
        "http://ca.example.org/a list.crl",
        "http://ca.example.org/" + "x" * PLACE_LENGTH,
    ],
)
def test_a_place_that_nobody_could_fetch_from_is_refused(url: str) -> None:
    """It stands in certificates for years: plain HTTP, a host, a path, and nobody's name or password in it."""
    (finding,) = wrong(placed(url)).findings

    assert (finding.code, finding.clause) == ("ceremony.value", "RFC 5280 4.2.1.13")


def test_a_place_that_no_certificate_would_name_is_refused(held: Held) -> None:
    """Whoever wrote it believes that it is in them."""
    text = held.file.read_text().replace("[crl]", f"{PLACES}[crl]", 1)
    assert len(ceremony(text).certificates) == len(NAMES)
    says = {found.says.partition(": ")[2] for found in wrong(text.replace("crl = true", "crl = false")).findings}

    assert says == {"crl stands in no certificate by profile 'issuing': that lacks crl = true"}


@pytest.mark.parametrize(("change", "named", "clause"), MISTAKES, ids=[each[0] for each in MISTAKES])
def test_a_mistake_is_told_with_its_line_and_clause(change: str, named: str, clause: str) -> None:
    """Whoever reviews the file can go there: it is the line that was changed, or one that it makes wrong."""
    text = text_of(change=change)
    findings = wrong(text).findings
    mine = next(found for found in findings if named in found.says and found.clause == clause)

    line = text.splitlines()[int(mine.says.split()[1].rstrip(":")) - 1]
    assert named in line or named == "roof"
    assert all(found.says.startswith("line ") for found in findings)


def test_all_mistakes_are_told_at_once() -> None:
    """Not one a run: a ceremony's people do not come together twice."""
    refusal = wrong(
        text_of(a="days = 7305|days = 0", b="number = 1|number = -1", c='role = "auditor"|roll = "auditor"')
    )

    assert sorted(found.code for found in refusal.findings) == [
        "ceremony.missing",
        "ceremony.unknown",
        "ceremony.value",
        "ceremony.value",
    ]
    assert "4 mistakes" in refusal.cause


def test_nobody_acts_alone() -> None:
    """One witness is refused."""
    text = text_of()
    alone = text[: text.rindex("[[witness]]")] + text[text.index("# What each kind") :]

    assert "nobody acts alone" in wrong(alone).findings[0].says


def test_what_stands_twice_is_refused(held: Held) -> None:
    """Two certificates of one name, one key or one serial."""
    text = held.file.read_text()
    block = text[text.index("[[certificate]]") : text.index("[crl]")]
    says = " ".join(found.says for found in wrong(text.replace("[crl]", block + "[crl]")).findings)

    assert all(f"the same {name} twice" in says for name in ("name", "key_id", "serial"))


def test_a_revocation_from_the_future_is_refused() -> None:
    """The list is dated by the ceremony."""
    entry = '[[crl.revoked]]\nserial = "1f"\nmoment = 2027-01-01T00:00:00Z\nreason = "bored"\n\n[[witness]]'
    findings = wrong(text_of(change=f"[[witness]]|{entry}")).findings

    assert [found.clause for found in findings] == ["RFC 5280 5.1.2.5", "RFC 5280 5.3.1"]


@pytest.mark.parametrize("raw", [b"\xff", b"= 3", b"x" * (FILE_BYTES + 1), b"a = [" + b"[" * 5000])
def test_what_is_no_file_of_ours_is_one_clear_error(raw: bytes) -> None:
    """Nothing else comes out of bytes from somewhere."""
    with pytest.raises(InputError, match=r"ceremony\.wrong"):
        parse_ceremony(raw)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    """Whatever is on the stick."""
    with pytest.raises(InputError):
        parse_ceremony(raw)


@given(st.data())
def test_a_good_file_with_a_line_lost_or_doubled_is_read_or_refused(data: st.DataObject) -> None:
    """Each way there is one answer of ours."""
    lines = text_of().splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    lines[number : number + 1] = lines[number : number + 1] * data.draw(st.sampled_from([0, 2]))
    try:
        assert parse_ceremony("".join(lines).encode()).digest
    except InputError as refusal:
        assert refusal.code == "ceremony.wrong"  # noqa: PT017 - either answer is right


def test_every_kind_of_root_key_can_be_made() -> None:
    """The file names no kind that the keyring does not know."""
    for kind in ROOT_KEYS:
        assert kind_of(make(kind).public_key()) is kind
