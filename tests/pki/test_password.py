"""Passwords: fair when made, kept as verifiers alone, checked in every form that stations use."""

from __future__ import annotations

import collections

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import password
from pki.errors import InputError, RefusedError
from pki.findings import Severity
from pki.password import ALPHABET, DUMMY_VERIFIER, check, examine_chosen, generate, is_slow, remember
from pki.station import PasswordForm
from tests.pki.papers import codes

SALT = bytes(range(16))
GENERATED = generate(bytes(32))
VERIFIER = remember(GENERATED, SALT, generated=True)
CHOSEN = "Correct-horse=battery"
KEY = "0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF"
SLOW = remember(CHOSEN, SALT, generated=False)
SLOW_KEY = remember(KEY, SALT, generated=False)


@given(st.binary(min_size=16, max_size=64))
def test_a_generated_password_fits_every_edition(random: bytes) -> None:
    """20 characters of the standard's set: 16..20 bytes in 1.6, 16..40 characters in 2.0.1 (A00.FR.205)."""
    made = generate(random)

    assert len(made) == 20
    assert set(made) <= set(ALPHABET)
    assert examine_chosen(made) == ()


def test_a_generated_password_is_strong_enough_for_the_fast_hash() -> None:
    """At least 110 bits, and none of the characters that people mix up."""
    assert len(ALPHABET) ** 20 > 2**110
    assert not set("0Oo1Il") & set(ALPHABET)


def test_letters_are_equally_likely() -> None:
    """No letter is favoured as a plain modulo would favour the first 32 by a quarter."""
    counts = collections.Counter("".join(generate(number.to_bytes(16)) for number in range(6000)))
    due = 6000 * 20 / len(ALPHABET)

    assert set(counts) == set(ALPHABET)
    assert all(abs(count - due) < 0.08 * due for count in counts.values())


def test_too_little_randomness_makes_no_password() -> None:
    """A fault in the program, found at once."""
    with pytest.raises(ValueError, match="16 random bytes"):
        generate(bytes(15))


def test_the_verifier_does_not_hold_the_password() -> None:
    """A01.FR.08: a salted hash is all that is kept, and the salt makes equal passwords differ."""
    assert GENERATED not in VERIFIER
    assert CHOSEN not in SLOW
    assert remember(GENERATED, bytes(16), generated=True) != VERIFIER


def test_only_generated_passwords_get_the_fast_hash() -> None:
    """A chosen one could be guessed from it."""
    assert not is_slow(VERIFIER)
    assert is_slow(SLOW)
    assert not is_slow(DUMMY_VERIFIER)
    with pytest.raises(ValueError, match="fast hash"):
        remember(CHOSEN, SALT, generated=True)


def test_a_short_salt_is_refused() -> None:
    """RFC 9106 3.1."""
    with pytest.raises(ValueError, match="16 bytes"):
        remember(GENERATED, bytes(8), generated=True)


TEXT, HEX, LITERAL, ANY = PasswordForm.TEXT, PasswordForm.HEX, PasswordForm.LITERAL_HEX, PasswordForm.ANY


@pytest.mark.parametrize(
    ("verifier", "offered", "form", "matched"),
    [
        pytest.param(VERIFIER, GENERATED.encode(), ANY, TEXT, id="the text"),
        pytest.param(VERIFIER, GENERATED.encode(), TEXT, TEXT, id="the text, asked for"),
        pytest.param(VERIFIER, GENERATED.encode(), HEX, HEX, id="the bytes of its hex, which are the text"),
        pytest.param(VERIFIER, GENERATED.encode().hex().encode(), ANY, LITERAL, id="the hex itself"),
        pytest.param(VERIFIER, GENERATED.encode().hex().upper().encode(), LITERAL, LITERAL, id="the hex in capitals"),
        pytest.param(SLOW, CHOSEN.encode(), ANY, TEXT, id="a chosen text"),
        pytest.param(SLOW, CHOSEN.encode().hex().encode(), ANY, LITERAL, id="a chosen text as hex"),
        pytest.param(SLOW_KEY, bytes.fromhex(KEY), ANY, HEX, id="a key written as hex, sent as bytes"),
        pytest.param(SLOW_KEY, bytes.fromhex(KEY), HEX, HEX, id="the same, asked for"),
        pytest.param(SLOW_KEY, KEY.encode(), ANY, TEXT, id="a key written as hex, sent as text"),
        pytest.param(SLOW_KEY, KEY.encode(), LITERAL, LITERAL, id="the same, asked for as hex"),
    ],
)
def test_tc_085_each_form_of_the_right_password_is_recognised(
    verifier: str, offered: bytes, form: PasswordForm, matched: PasswordForm
) -> None:
    """OCTT TC_085 and what is met in the field; the answer says which form it was."""
    assert check(verifier, offered, form) is matched


@pytest.mark.parametrize(
    ("verifier", "offered", "form"),
    [
        pytest.param(VERIFIER, b"", ANY, id="nothing"),
        pytest.param(VERIFIER, GENERATED[:-1].encode(), ANY, id="one character short"),
        pytest.param(VERIFIER, GENERATED.encode() + b" ", ANY, id="a blank behind it"),
        pytest.param(VERIFIER, GENERATED.swapcase().encode(), ANY, id="another case"),
        pytest.param(VERIFIER, GENERATED.encode() + bytes(200), ANY, id="much longer"),
        pytest.param(VERIFIER, GENERATED.encode(), LITERAL, id="text where hex is due"),
        pytest.param(VERIFIER, GENERATED.encode().hex().encode(), TEXT, id="hex where text is due"),
        pytest.param(VERIFIER, VERIFIER.encode(), ANY, id="the verifier itself"),
        pytest.param(SLOW_KEY, bytes.fromhex(KEY), TEXT, id="bytes where text is due"),
        pytest.param(DUMMY_VERIFIER, b"", ANY, id="nothing, of an unknown station"),
        pytest.param(DUMMY_VERIFIER, bytes(32), ANY, id="the dummy's own bytes"),
    ],
)
def test_anything_else_is_refused(verifier: str, offered: bytes, form: PasswordForm) -> None:
    """One code, whatever was wrong, and the offered password is not in it."""
    with pytest.raises(RefusedError) as refusal:
        check(verifier, offered, form)

    assert refusal.value.code == "password.wrong"
    assert not offered or offered.decode("latin-1") not in f"{refusal.value} {refusal.value.advice}"


@settings(max_examples=200)
@given(st.binary(max_size=200), st.sampled_from(PasswordForm))
def test_no_guess_ends_in_anything_but_a_refusal(offered: bytes, form: PasswordForm) -> None:
    """Nor does any guess match the dummy, or the password of a station."""
    for verifier in (VERIFIER, DUMMY_VERIFIER):
        with pytest.raises(RefusedError):
            check(verifier, offered, form)


@given(st.binary(max_size=200), st.sampled_from(PasswordForm))
def test_a_guess_costs_three_hashes_at_most(offered: bytes, form: PasswordForm) -> None:
    """A stranger cannot make one guess expensive."""
    assert len(list(password._readings(offered, form))) <= 3


@pytest.mark.parametrize("form", PasswordForm)
def test_a_guess_longer_than_any_password_costs_nothing(form: PasswordForm) -> None:
    """It is wrong by its length alone."""
    assert list(password._readings(b"a" * (password.OFFERED_LENGTH_MOST + 1), form)) == []
    assert list(password._readings(b"a" * password.OFFERED_LENGTH_MOST, form)) != []


@pytest.mark.parametrize(
    "verifier",
    [
        "",
        "x",
        "sha256$",
        "sha256$AA==$AA==",
        "md5$AAAAAAAAAAAAAAAAAAAAAA==$AA==",
        VERIFIER[:-4],
        VERIFIER + "$",
        "sha256$!$!",
    ],
)
def test_a_damaged_verifier_is_named_and_matches_nothing(verifier: str) -> None:
    """It is our fault, not the station's, and says so."""
    with pytest.raises(InputError) as refusal:
        check(verifier, b"", ANY)

    assert refusal.value.code == "password.verifier"


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ("short", "password.length"),
        ("x" * 41, "password.length"),
        ("has blanks in it here", "password.characters"),
        ("umlauts-\u00e4\u00f6\u00fc-are-not-in", "password.characters"),
        ("line\nbreak-line-break", "password.characters"),
    ],
)
def test_a_chosen_password_outside_the_rules_is_refused(chosen: str, code: str) -> None:
    """A00.FR.205, without ever showing it back."""
    with pytest.raises(RefusedError) as refusal:
        examine_chosen(chosen)

    assert code in codes(refusal.value)
    assert chosen not in f"{refusal.value} {refusal.value.advice} {refusal.value.findings}"


def test_a_chosen_password_too_long_for_old_stations_is_a_warning() -> None:
    """1.6 takes 20 bytes; 2.0.1 takes 40 characters."""
    (found,) = examine_chosen("x" * 21)

    assert found.severity is Severity.WARNING
    assert examine_chosen("x" * 20) == ()
