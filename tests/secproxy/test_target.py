"""The URL a station dials: one reading, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from pki.names import StationIdentity
from secproxy.target import encode_identity, read_target

IDENTITIES = st.text("ABCxyz019*-_=+|@.", min_size=1, max_size=48).filter(lambda name: name not in {".", ".."})


@pytest.mark.parametrize(
    ("target", "identity", "canonical"),
    [
        ("/CP-001", "CP-001", "/CP-001"),
        ("/ocpp/CP-001", "CP-001", "/ocpp/CP-001"),
        ("/a/b%20c/CP-001", "CP-001", "/a/b%20c/CP-001"),
        ("/ocpp/CP%2D001", "CP-001", "/ocpp/CP-001"),
        ("/ocpp/A%2A@B", "A*@B", "/ocpp/A*@B"),
        ("/ocpp/A%7CB", "A|B", "/ocpp/A%7CB"),
        ("/ocpp/A|B", "A|B", "/ocpp/A%7CB"),
        ("/ocpp//CP-001", "CP-001", "/ocpp/CP-001"),
        ("/ocpp/CP-001/", "CP-001", "/ocpp/CP-001"),
        ("//a///b//CP-001//", "CP-001", "/a/b/CP-001"),
    ],
)
def test_the_identity_is_the_last_segment_decoded_once(target: str, identity: str, canonical: str) -> None:
    """OCPP-J 3.1.1; the path for the CSMS is written in one form, whichever the station chose; slashes too many, which
    a URL that ends in one leaves behind, are not in it."""
    place = read_target(target)
    assert (place.identity.text, place.target) == (identity, canonical)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "CP-001",
        "*",
        "http://csms.example.org/CP-001",
        "//",
        "/ocpp/CP-001/..//",
        "/ocpp//./CP-001",
        "/ocpp/../CP-001",
        "/ocpp/%2e%2E/CP-001",
        "/ocpp/%2F/CP-001",
        "/ocpp/%5C/CP-001",
        "/ocpp/%2525/CP-001",
        "/ocpp/%00/CP-001",
        "/ocpp/%zz/CP-001",
        "/ocpp/..",
        "/ocpp/%2e%2e",
        "/ocpp/CP%2500",
        "/ocpp/CP%00",
        "/ocpp/CP%0d%0aX",
        "/ocpp/CP%252D001",
        "/ocpp/CP:001",
        "/ocpp/CP%3A001",
        "/ocpp/CP 001",
        "/ocpp/ÇP",
        "/ocpp/%D0%A1P",
        "/ocpp/CP-001?x=1",
        "/ocpp/CP-001#x",
        "/ocpp/CP%",
        "/" + "x" * 49,
        "/" + "x" * 2_048 + "/CP-001",
    ],
)
def test_attack_16_what_could_be_read_differently_is_refused(target: str) -> None:
    """Dots, hidden slashes, double escapes, look-alikes, queries: none reaches a CSMS."""
    with pytest.raises(InputError):
        read_target(target)


@given(IDENTITIES)
def test_every_identity_survives_the_way_through_a_url(name: str) -> None:
    """Writing and reading again gives the same name, and the canonical path stays canonical."""
    path = "/ocpp/" + encode_identity(StationIdentity.parse(name))
    place = read_target(path)
    assert (place.identity.text, place.target) == (name, path)


@given(st.text(max_size=80))
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    """Whatever arrives, it is read or refused; the canonical path is plain ASCII without surprises."""
    try:
        place = read_target("/" + text)
    except InputError:
        return
    assert place.target.isascii()
    assert read_target(place.target) == place
