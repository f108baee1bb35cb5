"""The server keys come out of the authority matching their certificates, and leave no trace on the disk."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from msgspec import structs

from pki.certificate import read_certificates
from pki.edge import calls
from pki.errors import InputError
from tests.certs import Party
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk


async def fetched(desk: Desk) -> calls.Credentials:
    """What a listener fetches."""
    return await desk.ask(calls.FetchCredentials(), calls.Credentials)


@pytest.fixture
def credentials(tmp_path: Path) -> calls.Credentials:
    """What a listener fetches."""
    return at_the_desk(make_home(tmp_path), fetched)


def test_each_key_belongs_to_its_chain(credentials: calls.Credentials) -> None:
    """Leaf and issuing authority, no root (A02.FR.16 counts every certificate sent)."""
    for chain, key in (
        (credentials.ecdsa_chain, credentials.ecdsa_key),
        (credentials.rsa_chain, credentials.rsa_key),
    ):
        leaf, issuer = read_certificates(chain)
        private = serialization.load_pem_private_key(key.encode(), None)
        assert leaf.public_key() == private.public_key()
        leaf.verify_directly_issued_by(issuer)


def test_a_tls_listener_takes_them(credentials: calls.Credentials, tmp_path: Path) -> None:
    """Both kinds in one context, as a listener of ours has them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, chain, key in (
        ("ecdsa", credentials.ecdsa_chain, credentials.ecdsa_key),
        ("rsa", credentials.rsa_chain, credentials.rsa_key),
    ):
        (tmp_path / name).write_text(chain + key)
        context.load_cert_chain(tmp_path / name)


def test_no_key_in_clear_is_in_the_home(credentials: calls.Credentials, tmp_path: Path) -> None:
    """They were decrypted in memory alone."""
    body = credentials.ecdsa_key.splitlines()[1].encode()
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert all(body not in path.read_bytes() for path in files)


def presented(credentials: calls.Credentials) -> calls.Credentials:
    """The part of them that a TLS listener presents."""
    return structs.replace(credentials, assertion_key="", assertion_public=())


ROOT = Party.root("Public Root", "Somebody Else")
GIVEN = ROOT.issue("csms.example.org", dns="csms.example.org")


def named(home: Home, certificate: str, key: str) -> Home:
    """The home with server certificates of others named in its settings."""
    (home.path / "given.pem").write_text(certificate)
    (home.path / "given.key").write_text(key)
    table = f'certificate = "{home.path}/given.pem"\nkey = "{home.path}/given.key"\n'
    home.settings.write_text(f"{home.settings.read_text()}\n[[server_certificate]]\n{table}")
    return home


def test_certificates_of_others_are_presented_when_the_settings_name_them(tmp_path: Path) -> None:
    """A public CA's certificate takes the place of ours; its root is not sent along."""
    home = named(make_home(tmp_path), GIVEN.pem + ROOT.pem, GIVEN.key_pem)

    assert presented(at_the_desk(home, fetched)) == calls.Credentials(ecdsa_chain=GIVEN.pem, ecdsa_key=GIVEN.key_pem)


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        pytest.param(GIVEN.pem, ROOT.key_pem, "is not that of", id="the key of another certificate"),
        pytest.param(GIVEN.pem, "no key", "no unencrypted private key", id="no key at all"),
        pytest.param("no certificate", GIVEN.key_pem, "certificate", id="no certificate at all"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, certificate: str, key: str, says: str) -> None:
    """The error names the file and the table to correct; no key is in it."""
    home = named(make_home(tmp_path), certificate, key)

    with pytest.raises(InputError, match=says) as refused:
        at_the_desk(home, fetched)

    assert "PRIVATE" not in str(refused.value)


def test_two_of_one_kind_and_missing_files_are_refused(tmp_path: Path) -> None:
    """A listener presents one certificate of each kind; a file that is not there is said to be missing."""
    home = named(named(make_home(tmp_path), GIVEN.pem, GIVEN.key_pem), GIVEN.pem, GIVEN.key_pem)
    with pytest.raises(InputError, match="two ECDSA"):
        at_the_desk(home, fetched)

    (home.path / "given.key").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        at_the_desk(home, fetched)


def put(home: Home, party: Party, key: str = "") -> None:
    """Lay another certificate into the files that the settings name."""
    (home.path / "given.pem").write_text(party.pem)
    (home.path / "given.key").write_text(key or party.key_pem)


def test_another_certificate_in_the_named_files_is_presented_without_a_restart(tmp_path: Path) -> None:
    """Listeners are told once, and the audit log keeps its serial."""
    home = named(make_home(tmp_path), GIVEN.pem, GIVEN.key_pem)
    other = ROOT.issue("csms.example.org", dns="csms.example.org")

    async def story(desk: Desk) -> str:
        watcher = await desk.office.watch()
        await watcher.next()
        await desk.office.tend()
        put(home, other)
        await desk.office.tend()
        assert isinstance(await watcher.next(), calls.CredentialsChanged)
        await desk.office.tend()
        assert (await fetched(desk)).ecdsa_chain == other.pem
        return (await desk.ask(calls.ListAudit(), calls.AuditRows)).rows[-1].entry

    entry = at_the_desk(home, story)
    assert "server.replaced" in entry
    assert f"{other.certificate.serial_number:x}" in entry


def test_half_a_replacement_leaves_the_former_certificate_presented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The certificate is there, its key is not yet: that is told, and nobody is left without a server."""
    home = named(make_home(tmp_path), GIVEN.pem, GIVEN.key_pem)

    async def story(desk: Desk) -> calls.Credentials:
        await desk.office.tend()
        put(home, ROOT.issue("csms.example.org", dns="csms.example.org"), GIVEN.key_pem)
        await desk.office.tend()
        return await fetched(desk)

    assert at_the_desk(home, story).ecdsa_chain == GIVEN.pem
    assert "settings.server_certificate" in capsys.readouterr().err


def test_files_that_are_unsound_hold_up_no_renewal_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each duty is done for itself."""
    home = named(make_home(tmp_path), GIVEN.pem, GIVEN.key_pem)
    home.settings.write_text(home.settings.read_text().replace("[csms]", "[csms]\ncertificate_hours = 20"))
    (home.path / "given.pem").write_text("spoilt")

    async def story(desk: Desk) -> list[str]:
        await desk.office.tend()
        return [own.name for own in desk.office._desk.own.values() if own.purpose == "server"]

    assert len(at_the_desk(home, story)) == 4
    assert "settings.server_certificate" in capsys.readouterr().err


OTHER = ROOT.issue("other.example.org", dns="other.example.org")


def beside(home: Home, host: str, party: Party = OTHER) -> Home:
    """The home with a certificate for another host named in its settings."""
    (home.path / "other.pem").write_text(party.pem)
    (home.path / "other.key").write_text(party.key_pem)
    table = f'certificate = "{home.path}/other.pem"\nkey = "{home.path}/other.key"\nhost = "{host}"\n'
    home.settings.write_text(f"{home.settings.read_text()}\n[[server_certificate]]\n{table}")
    return home


def test_a_certificate_for_another_host_stands_beside_our_own(tmp_path: Path) -> None:
    """RFC 6066 3: whoever asks for that host gets it, everybody else what they had before."""
    found = at_the_desk(beside(make_home(tmp_path), "other.example.org"), fetched)

    assert found.named == (calls.NamedCredentials("other.example.org", OTHER.pem, OTHER.key_pem),)
    assert read_certificates(found.ecdsa_chain)[0].subject != read_certificates(OTHER.pem)[0].subject
    assert found.rsa_key


def test_a_certificate_for_another_host_stands_beside_one_for_everybody(tmp_path: Path) -> None:
    """One of each kind for each host: the same kind may come again under another name."""
    home = beside(named(make_home(tmp_path), GIVEN.pem, GIVEN.key_pem), "other.example.org")
    found = at_the_desk(home, fetched)

    assert (found.ecdsa_chain, found.rsa_chain, len(found.named)) == (GIVEN.pem, "", 1)


@pytest.mark.parametrize("host", ["third.example.org", "example.org"])
def test_a_certificate_that_is_not_for_its_host_is_refused(tmp_path: Path, host: str) -> None:
    """Stations that ask for the host would hang up, and nobody would know why (A00.FR.510)."""
    with pytest.raises(InputError, match="is not for"):
        at_the_desk(beside(make_home(tmp_path), host), fetched)


def test_the_keys_of_named_certificates_show_as_little_as_the_others() -> None:
    """A log line with them in it gives nothing away."""
    assert "PRIVATE" not in repr(calls.NamedCredentials("other.example.org", OTHER.pem, OTHER.key_pem))
