"""The authority's news become what the proxy decides with."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.edge import calls
from pki.names import CertificateSerial
from pki.station import CertificateStatus, PasswordForm, SecurityProfile, StationStatus
from secproxy.edge.reading import apply, present, station, trusted, view_of
from secproxy.station_view import Trust
from tests.certs import Party

if TYPE_CHECKING:
    from secproxy.station_view import View

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
END = NOW + dt.timedelta(days=365)


def certificate(*organisations: str) -> str:
    """A self-signed certificate in PEM that names these organisations."""
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organisations]
    name = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW, END)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


MAKER = certificate("Maker GmbH")


def issuer(name: str, purpose: str, key: bytes) -> calls.IssuerRow:
    return calls.IssuerRow(name, purpose, f"CN={name}", END, key, MAKER)


def anchor(purpose: str, key: bytes, vendor: str = "", pem: str = MAKER) -> calls.AnchorRow:
    return calls.AnchorRow(purpose, vendor, "CN=Root,O=Maker GmbH", END, key, pem)


def row(identity: str, status: str = "active") -> calls.StationRow:
    return calls.StationRow(identity, f"S-{identity}", 3, status)


def release(digest: str) -> calls.ReleaseRow:
    return calls.ReleaseRow(digest, 9, "Maker", "M1", "1.0", "ecdsa-p256-sha256", b"s", MAKER, NOW)


def snapshot(
    organisation: str = "Operator",
    stations: tuple[calls.StationRow, ...] = (row("CP-1"), row("CP-2")),
    anchors: tuple[calls.AnchorRow, ...] = (
        anchor("station", b"m"),
        anchor("firmware", b"f", "Maker"),
        anchor("csms", b"x"),
    ),
) -> calls.Snapshot:
    issuers = (issuer("root", "root", b"r"), issuer("csms", "csms", b"c"), issuer("station", "station", b"s"))
    return calls.Snapshot(organisation, "csms.example.org", issuers, anchors, stations, ())


@pytest.fixture
def view() -> View:
    return view_of(snapshot())


def test_a_station_is_read_field_by_field() -> None:
    """Nothing of the wire is left in it, and no certificate is dropped, whatever its status."""
    revoked = calls.CertificateRow("0a", "CN=S-CP-1", "CN=x", b"s", NOW, END, "revoked", "station", "CP-1")
    told = calls.StationRow(
        "CP-1",
        "S-1",
        2,
        "disabled",
        verifier="v",
        password_form="hex",
        certificates=(revoked,),
        model="M1",
        site="x",
        tls="TLSv1.2",
    )
    found = station(told)

    assert (found.identity.text, found.serial.text, found.model, found.site) == ("CP-1", "S-1", "M1", "x")
    assert found.tls == "TLSv1.2"
    assert (found.profile, found.status) == (SecurityProfile.TLS_BASIC, StationStatus.DISABLED)
    assert (found.verifier, found.password_form) == ("v", PasswordForm.HEX)
    [fact] = found.certificates
    assert (fact.serial, fact.issuer_key_id, fact.not_after) == (CertificateSerial(10), b"s", END)
    assert fact.status is CertificateStatus.REVOKED


def test_what_a_station_shows_to_cars_is_no_certificate_of_its_towards_us() -> None:
    """It may carry the same serial number; only what was issued for a station counts as its own."""
    shown = calls.CertificateRow("0a", "CN=S-CP-1", "CN=x", b"s", NOW, END, "valid", "v2g-secc-2", "CP-1")

    assert station(calls.StationRow("CP-1", "S-1", 3, "active", certificates=(shown,))).certificates == ()


def test_the_keys_that_are_ours_are_taken_from_the_news(view: View) -> None:
    """The newest word replaces the one before."""
    assert view.own_keys == frozenset()
    apply(view, calls.TrustChanged((), (), (b"r", b"o")))

    assert view.own_keys == {b"r", b"o"}


def test_only_issuers_and_anchors_for_stations_are_trusted_for_stations(view: View) -> None:
    """Our station CA counts as ours; an anchor brings its own organisation."""
    assert view.trusts == {
        b"s": Trust(b"s", "Operator", True, "CN=station"),
        b"m": Trust(b"m", "Maker GmbH", False, "CN=Root,O=Maker GmbH"),
    }


@pytest.mark.parametrize("pem", [certificate(), certificate("One", "Two")], ids=["none", "two"])
def test_an_anchor_without_one_organisation_brings_none(pem: str) -> None:
    """Which of two would be meant? Neither is taken."""
    view = view_of(snapshot(anchors=(anchor("station", b"m", pem=pem),)))

    assert view.trusts[b"m"].organisation == ""


def test_an_anchor_with_our_own_issuers_key_does_not_loosen_the_ledgers_word() -> None:
    """Trusting our own CA again as a stranger must not let unlisted certificates in."""
    view = view_of(snapshot(anchors=(anchor("station", b"s"),)))

    assert view.trusts[b"s"].ours


def test_firmware_anchors_are_kept_by_vendor_and_the_rest_as_known_strangers(view: View) -> None:
    """A signer under our own CA can be named as such, and is never accepted."""
    assert {vendor: len(found) for vendor, found in view.anchors.vendors.items()} == {"Maker": 1}
    assert len(view.anchors.others) == 5


def test_a_changed_station_touches_itself_alone(view: View) -> None:
    """Live connections of others are not judged again."""
    touched = apply(view, calls.StationChanged(row("CP-1", status="disabled")))

    assert touched == {"CP-1"}
    assert view.stations["CP-1"].status is StationStatus.DISABLED


def test_a_change_of_trust_touches_every_station(view: View) -> None:
    """Whoever came in by a trust that is gone must be found."""
    touched = apply(view, calls.TrustChanged((issuer("station", "station", b"s"),), ()))

    assert touched == {"CP-1", "CP-2"}
    assert set(view.trusts) == {b"s"}
    assert view.anchors.vendors == {}


def test_a_new_snapshot_replaces_all_and_touches_who_is_gone_too(view: View) -> None:
    """After the authority was away, a station that was removed meanwhile is judged as well."""
    touched = apply(view, snapshot(organisation="Other", stations=(row("CP-2"), row("CP-3"))))

    assert touched == {"CP-1", "CP-2", "CP-3"}
    assert set(view.stations) == {"CP-2", "CP-3"}
    assert (view.organisation, view.trusts[b"s"].organisation) == ("Other", "Other")


def test_releases_are_added_once_each(view: View) -> None:
    """The same image told twice is one image."""
    for digest in ("aa", "bb", "aa"):
        assert apply(view, calls.ReleaseAdded(release(digest))) == frozenset()

    assert [found.digest for found in view.releases] == ["bb", "aa"]


def test_new_server_certificates_touch_no_station(view: View) -> None:
    """Live connections go on under the certificate they began with."""
    assert apply(view, calls.CredentialsChanged()) == frozenset()


def test_authorities_are_known_by_what_stations_may_trust_them_for() -> None:
    """What only stands above another is a root for the same when it signed itself, and for nothing when not."""
    root = Party.root()
    between = root.issue("Between", ca=True)

    def above(name: str, below: str, pem: str) -> calls.IssuerRow:
        return calls.IssuerRow(name, "above", f"CN={name}", END, name.encode(), pem, slot=f"{below}-above-1")

    issuers = (
        issuer("root", "root", b"r"),
        issuer("csms", "csms", b"c"),
        above("csms-top", "csms", root.pem),
        above("csms-middle", "csms", between.pem),
        issuer("cars", "v2g-sub2", b"v"),
        above("cars-top", "cars", root.pem),
        issuer("station", "station", b"s"),
        above("station-top", "station", root.pem),
    )
    others = (anchor("firmware", b"f", "Maker"), anchor("csms", b"x"), anchor("MORootCertificate", b"m"))
    told = calls.TrustChanged(issuers, others)
    seen = view_of(snapshot())
    apply(seen, told)
    roles = [each.role for each in seen.authorities]
    ours = ["root", "csms", "root", "", "v2g-sub2", "v2g-root", "station", ""]
    assert roles == [*ours, "firmware", "csms", "MORootCertificate"]
    assert not seen.trusts.keys() & {b"m"}


def test_what_listeners_present_is_known_for_every_host() -> None:
    """Both kinds of key, and the hosts that are asked for by name."""
    first, second, third = (Party.root(name) for name in ("A", "B", "C"))
    named = (calls.NamedCredentials("other.example.org", ecdsa_chain=third.pem),)
    seen = view_of(snapshot())
    present(seen, calls.Credentials(ecdsa_chain=first.pem + second.pem, rsa_chain=second.pem, named=named))
    parties = (first, second, second, third)
    assert seen.presented == tuple(each.certificate for each in parties)
    present(seen, calls.Credentials(ecdsa_chain=first.pem))
    assert seen.presented == (first.certificate,)


@pytest.mark.parametrize("state", ["revoked", "held"])
def test_a_root_that_has_fallen_is_none_to_be_installed(state: str) -> None:
    """Nobody is told to trust it any more."""
    fallen = msgspec.structs.replace(issuer("root", "root", b"r"), state=state)
    seen = view_of(snapshot())
    apply(seen, calls.TrustChanged((fallen,), ()))
    assert seen.authorities == ()


@pytest.mark.parametrize("state", ["revoked", "held"])
def test_an_authority_that_has_fallen_is_trusted_by_no_door(view: View, state: str) -> None:
    """Not even as somebody else's: whoever was given our issuer as an anchor besides loses it with it."""
    fallen = msgspec.structs.replace(issuer("station", "station", b"s"), state=state)
    issuers, anchors = (
        (fallen, issuer("station-2", "station", b"t")),
        (anchor("station", b"s"), anchor("station", b"m")),
    )
    touched = apply(view, calls.TrustChanged(issuers, anchors))
    assert touched == {"CP-1", "CP-2"}
    assert set(view.trusts) == {b"m", b"t"}
    assert view.fallen == {b"s": state}
    assert [row.key_id for rows in trusted(issuers, anchors) for row in rows] == [b"t", b"m"]
    apply(view, calls.TrustChanged((issuer("station", "station", b"s"),), ()))
    assert (set(view.trusts), view.fallen) == ({b"s"}, {})
