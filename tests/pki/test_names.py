"""Names: parsed once, in normal form, refused with the clause."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from pki.names import (
    CertificateSerial,
    HolderName,
    Host,
    Organisation,
    ProtocolVersion,
    SeccId,
    StationIdentity,
    StationSerial,
)

KINDS = [StationIdentity, StationSerial, Host, Organisation, CertificateSerial]


@pytest.mark.parametrize("text", ["CP-001", "a", "A*-_=+|@.z", "x" * 48, "1.2", "..."])
def test_an_identity_of_the_standard_s_characters_is_read(text: str) -> None:
    """Up to 48 of them (A00.FR.204)."""
    assert StationIdentity.parse(text).text == text


@pytest.mark.parametrize("text", ["", "x" * 49, "a:b", "a b", "a/b", "\u00e4", ".", "..", "a\n", "a\0", "CP-001 "])
def test_what_is_no_identity_is_refused(text: str) -> None:
    """Above all the colon, which would end the user name."""
    with pytest.raises(InputError) as refusal:
        StationIdentity.parse(text)

    assert refusal.value.code == "name.identity"


@pytest.mark.parametrize(
    ("segment", "text"), [("CP-001", "CP-001"), ("CP%2D001", "CP-001"), ("a%40b", "a@b"), ("%7c", "|")]
)
def test_an_identity_in_a_url_is_decoded_once(segment: str, text: str) -> None:
    """Then it is compared exactly."""
    assert StationIdentity.from_path_segment(segment).text == text


@pytest.mark.parametrize("segment", ["a%3Ab", "a%2Fb", "a%252Fb", "%", "%4", "%zz", "%ff", "%00", "%2e%2e", ""])
def test_an_identity_that_hides_something_in_a_url_is_refused(segment: str) -> None:
    """Colons, slashes, double escapes, broken escapes, bytes outside ASCII, and paths."""
    with pytest.raises(InputError):
        StationIdentity.from_path_segment(segment)


@given(st.from_regex(r"[A-Za-z0-9*\-_=+|@.]{1,48}", fullmatch=True).filter(lambda text: text not in {".", ".."}))
def test_every_identity_survives_any_percent_encoding(text: str) -> None:
    """Whichever characters the station chose to escape."""
    encoded = "".join(f"%{ord(letter):02X}" if index % 2 else letter for index, letter in enumerate(text))

    assert StationIdentity.from_path_segment(encoded) == StationIdentity.parse(text)


@pytest.mark.parametrize("text", ["SN-001", "1234567890", "ACME/2024 #7", "a.b", "x" * 64, "10.0.0", "V1.2.3"])
def test_a_serial_as_makers_print_it_is_read(text: str) -> None:
    """Letters, digits and the marks met on type plates."""
    assert StationSerial.parse(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 65,
        " SN",
        "SN ",
        "http://x",
        "wss://a/b",
        "www.x",
        "csms.example.org",
        "10.0.0.1",
        "::1",
        "[::1]",
        "a\tb",
        "\u00e4",
    ],
)
def test_a_serial_shaped_like_an_address_is_refused(text: str) -> None:
    """A00.FR.511: neither URL nor IP address, nor blanks at its ends."""
    with pytest.raises(InputError) as refusal:
        StationSerial.parse(text)

    assert refusal.value.code == "name.serial"


@given(st.ip_addresses().map(str) | st.from_regex(r"\[?[0-9a-f.:]{2,20}\]?", fullmatch=True))
def test_whatever_the_library_reads_as_an_address_is_no_host(text: str) -> None:
    """The short look at a name that spares the long one overlooks no address."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return
    with pytest.raises(InputError):
        Host.parse(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [("CSMS.Example.org.", "csms.example.org"), ("localhost", "localhost"), ("xn--bcher-kva.example", None)],
)
def test_a_host_is_read_in_lower_case(text: str, host: str | None) -> None:
    """Normal form, so that equality is exact equality."""
    assert Host.parse(text).text == (host or text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        "*.example.org",
        "10.0.0.1",
        "::1",
        "-a.org",
        "a-.org",
        "a_b.org",
        "a b",
        f"{'a' * 60}.org.uk",
        "a\n",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    """A00.FR.510 wants a host name: no address, no wildcard."""
    with pytest.raises(InputError) as refusal:
        Host.parse(text)

    assert refusal.value.code == "name.host"


@pytest.mark.parametrize("text", ["", " x", "x ", "a\nb", "x" * 65, "\x1b[31m", "\u202eabc"])
def test_what_is_no_organisation_is_refused(text: str) -> None:
    """Neither empty, nor padded, nor able to play tricks on a terminal."""
    with pytest.raises(InputError):
        Organisation.parse(text)


def test_an_organisation_may_have_any_letters() -> None:
    """The world's names are not ASCII."""
    assert Organisation.parse("Stra\u00dfen & Lade GmbH").text == "Stra\u00dfen & Lade GmbH"


@given(st.integers(1, 2**160 - 1))
def test_a_certificate_serial_reads_back_in_every_spelling(number: int) -> None:
    """As we print it, in capitals, and with openssl's colons."""
    serial = CertificateSerial(number)
    pairs = f"{number:X}".zfill(len(f"{number:x}") + len(f"{number:x}") % 2)
    colons = ":".join(pairs[place : place + 2] for place in range(0, len(pairs), 2))

    assert CertificateSerial.parse(serial.hex) == CertificateSerial.parse(serial.hex.upper()) == serial
    assert CertificateSerial.parse(colons) == serial
    assert len(serial.hex) <= 40


@pytest.mark.parametrize("text", ["", "0", "00", "xyz", "-1", "0x1", "1" * 41, "1 2", "\u0661"])
def test_what_is_no_certificate_serial_is_refused(text: str) -> None:
    """Zero included (RFC 5280 4.1.2.2)."""
    with pytest.raises(InputError):
        CertificateSerial.parse(text)


@given(st.binary(min_size=20, max_size=20))
def test_a_random_serial_has_159_bits(random: bytes) -> None:
    """Positive as a signed number, never short, 40 hex digits at most."""
    assert CertificateSerial.from_random(random).number.bit_length() == 159


def test_a_random_serial_needs_exactly_twenty_bytes() -> None:
    """Fewer would be guessable."""
    with pytest.raises(ValueError, match="20 random bytes"):
        CertificateSerial.from_random(bytes(19))


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(max_size=80))
def test_no_text_ends_in_anything_but_a_name_or_an_input_error(kind: type[StationIdentity], text: str) -> None:
    """And whatever is read prints as what is read again."""
    try:
        parsed = kind.parse(text)
    except InputError:
        return
    assert kind.parse(str(parsed)) == parsed


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_name_cannot_play_tricks_on_a_terminal(kind: type[StationIdentity]) -> None:
    """What is shown back is cut and escaped."""
    with pytest.raises(InputError) as refusal:
        kind.parse("\x1b[31m" + "x" * 1000)

    assert "\x1b" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    "text", ["DEABCS" + "0" * 33, "deabcs" + "0" * 33, "DEA1CS" + "a" * 58, "FRXYZS0123456789ABCDEF0123456789ABCDEF0"]
)
def test_a_secc_id_has_its_parts(text: str) -> None:
    """Country, operator, S, and 33 to 58 letters and digits: 39 to 64 in all."""
    assert SeccId.parse(text).text == text.upper()
    assert SeccId.parse(text).country == text[:2].upper()


@pytest.mark.parametrize(
    "text",
    ["", "SN-001", "DEABCS" + "0" * 32, "DEABCS" + "0" * 59, "D1ABCS" + "0" * 33, "DEABCX" + "0" * 33,
     "DE*ABC*S" + "0" * 33, "DEABCS" + "0" * 32 + "ä", "DEABCS" + "0" * 33 + "\n"],
)  # fmt: skip
def test_what_is_no_secc_id_is_refused(text: str) -> None:
    """With its own code, and cut."""
    with pytest.raises(InputError, match=r"name\.secc_id"):
        SeccId.parse(text)


@pytest.mark.parametrize(
    ("text", "protocol", "edition"), [("ocpp1.6", "ocpp1.6", ""), ("ocpp2.0.1/3", "ocpp2.0.1", "3")]
)
def test_a_version_may_have_an_edition(text: str, protocol: str, edition: str) -> None:
    """And is written as it was read."""
    version = ProtocolVersion.parse(text)

    assert (version.protocol, version.edition, str(version)) == (protocol, edition, text)


@pytest.mark.parametrize("text", ["", "ocpp", "ocpp1.5", "OCPP1.6", "ocpp2.0.1/", "ocpp2.0.1/0", "ocpp2.0.1/33", "1.6"])
def test_what_is_no_version_is_refused(text: str) -> None:
    """The advice says how to write one."""
    with pytest.raises(InputError, match=r"name\.protocol"):
        ProtocolVersion.parse(text)


@pytest.mark.parametrize("text", ["", " a", "a ", "a\nb", "a\0", "x" * 65])
def test_a_holder_s_name_is_plain(text: str) -> None:
    """1 to 64 printable characters (RFC 5280 A.1)."""
    with pytest.raises(InputError, match=r"name\.holder"):
        HolderName.parse(text)
    assert HolderName.parse("Volta Signer 2").text == "Volta Signer 2"
