"""External authorities are named whole or not at all, and get no request that vehicles could not use."""

from __future__ import annotations

import pytest

from pki.errors import InputError
from pki.external import KEYS, ExternalIssuer, examine_vehicle_side, read_external
from pki.tables import Tables
from tests.pki.papers import codes, key

GIVEN = {
    "name": "hubject",
    "kind": "est",
    "url": "https://est.example.org/.well-known/est/cpo",
    "anchor": "/etc/tls.pem",
    "user": "cpo",
    "password_file": "/etc/cpo.password",
    "certificate_profile": "v2g-secc-2",
}


def parse_external(raw: object) -> ExternalIssuer:
    """The one issuer of a file with this table."""
    file = Tables({"external_issuer": [raw]})
    issuers = [read_external(table) for table in file.many("external_issuer")]
    file.settle()
    return issuers[0]


SECC_ID = "DEABCS" + "0" * 33


def test_what_is_given_is_what_is_used() -> None:
    """Without a chain_anchor of its own, what it issues must end in the anchor of its server."""
    issuer = parse_external(GIVEN)

    assert (issuer.name, issuer.url, issuer.certificate_profile) == ("hubject", GIVEN["url"], "v2g-secc-2")
    assert (issuer.anchor, issuer.chain_anchor) == ("/etc/tls.pem", "/etc/tls.pem")
    assert parse_external({**GIVEN, "chain_anchor": "/etc/v2g.pem"}).chain_anchor == "/etc/v2g.pem"
    assert parse_external({**GIVEN, "url": GIVEN["url"] + "/"}).url == GIVEN["url"]


@pytest.mark.parametrize("key", sorted(KEYS & GIVEN.keys()))
def test_each_required_key_is_missed_by_name(key: str) -> None:
    """Half an authority is none."""
    with pytest.raises(InputError, match=r"external_issuer") as refused:
        parse_external({name: value for name, value in GIVEN.items() if name != key})
    assert key in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": "acme"}, id="another protocol"),
        pytest.param({"name": "Hub ject"}, id="a name with a blank"),
        pytest.param({"url": "http://est.example.org/.well-known/est"}, id="in clear"),
        pytest.param({"url": "https://user:secret@est.example.org/.well-known/est"}, id="a password in the address"),
        pytest.param({"url": "https://est.example.org/.well-known/est?x=1"}, id="a query"),
        pytest.param({"url": "https://est.example.org/"}, id="no path of EST"),
        pytest.param({"url": "https://[::1/.well-known/est"}, id="no address"),
        pytest.param({"client_certificate": "/etc/c.pem"}, id="a certificate without its key"),
        pytest.param({"anchor": "tls.pem"}, id="an anchor that depends on where somebody stands"),
        pytest.param({"chain_anchor": "v2g.pem"}, id="a root that does"),
        pytest.param({"password_file": "password"}, id="a password that does"),
        pytest.param({"user": "a:b"}, id="a user with a colon"),
        pytest.param({"colour": "blue"}, id="a key there is not"),
        pytest.param({"anchor": 1}, id="a number"),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, object]) -> None:
    """Before anything is sent to anybody."""
    with pytest.raises(InputError, match=r"external_issuer"):
        parse_external({**GIVEN, **changes})


@pytest.mark.parametrize("table", [None, [], "est"])
def test_what_is_no_table_is_refused(table: object) -> None:
    """``external_issuer = "x"`` for instance."""
    with pytest.raises(InputError, match=r"external_issuer"):
        parse_external(table)


@pytest.mark.parametrize(
    ("profile", "names", "kind", "found"),
    [
        ("v2g-secc-2", (SECC_ID,), "p256", set[str]()),
        ("v2g-secc-20", (SECC_ID,), "p521", set[str]()),
        ("v2g-secc-20", (SECC_ID,), "ed448", set[str]()),
        ("other", ("anything",), "rsa2048", set[str]()),
        ("v2g-secc-2", (SECC_ID,), "p384", {"alg.unsupported"}),
        ("v2g-secc-20", (SECC_ID,), "p256", {"alg.unsupported"}),
        ("v2g-secc-2", (), "p256", {"csr.secc_id"}),
        ("v2g-secc-2", (SECC_ID, SECC_ID), "p256", {"csr.secc_id"}),
        ("v2g-secc-2", (SECC_ID[:-1],), "p256", {"csr.secc_id"}),
        ("v2g-secc-2", (SECC_ID + "0" * 26,), "p256", {"csr.secc_id"}),
        ("v2g-secc-2", (SECC_ID.replace("S", "T"),), "p256", {"csr.secc_id"}),
        ("v2g-secc-2", ("12" + SECC_ID[2:],), "rsa2048", {"csr.secc_id", "alg.unsupported"}),
    ],
)
def test_a_request_towards_vehicles_has_their_name_and_their_kind_of_key(
    profile: str, names: tuple[str, ...], kind: str, found: set[str]
) -> None:
    """Country, operator, S, 33 to 58 more; P-256 for ISO 15118-2, P-521 or Ed448 for -20 (A00.FR.513)."""
    assert codes(examine_vehicle_side(profile, names, key(kind).public_key())) == found
