"""Every byte of a result is explained, and a result with any other byte is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.ceremony import transcript
from pki.ceremony.replay import compare_inputs, replay
from pki.ceremony.result import LIST, NOTE, TRANSCRIPT, Result, certificate_file, request_file
from pki.ceremony.transcript import Entry, Line, read_entries, sign_note, write_entries
from pki.edge.keys import Keyring, Passphrase, throwaway_key
from pki.edge.result_folder import read_result
from pki.errors import BollardError, ConflictError, RefusedError
from tests.ceremonies import PASSPHRASE, Held, csr
from tests.pki.papers import codes, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pki.audit import Json
    from pki.strength import SigningKey


def result(held: Held) -> Result:
    """What lies in the folder."""
    return read_result(held.folder)


def root_key(held: Held) -> SigningKey:
    """The root's key as it lies there."""
    return Keyring(held.folder / "keys", Passphrase(PASSPHRASE.encode())).key("root")


def altered(held: Held, name: str, content: bytes) -> Result:
    """A folder with one file that is another."""
    return Result({**result(held).files, name: content})


def test_a_result_is_explained_without_any_key(held: Held) -> None:
    """And what comes out is what the ceremony itself reported."""
    found = replay(result(held), throwaway_key)

    assert found.digest == held.done.digest
    assert found.certificates == held.done.certificates
    assert set(found.certificates) == {"csms", "station"}
    assert found.history.crl_number == 1


def test_with_the_key_every_signature_is_made_again(held: Held) -> None:
    """Byte for byte; with another key none is."""
    replay(result(held), throwaway_key, root_key(held))
    with pytest.raises(RefusedError, match=r"issue\.key|ceremony\.replay"):
        replay(result(held), throwaway_key, key("p384", "other"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_one_changed_byte_anywhere_is_refused(held: Held, data: st.DataObject) -> None:
    """In the file, a request, a certificate, the list, the transcript, its note, its printed form."""
    files = result(held).files
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(BollardError):
        replay(altered(held, name, bytes(content)), throwaway_key)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.data())
def test_a_file_cut_short_or_with_more_at_its_end_is_refused(held: Held, data: st.DataObject) -> None:
    """Nothing may be hidden behind what is read."""
    files = result(held).files
    name = data.draw(st.sampled_from(sorted(files)))
    cut = data.draw(st.integers(1, len(files[name])))
    content = data.draw(st.sampled_from([files[name][:-cut], files[name] + b"\n", files[name] + b"{}"]))

    with pytest.raises(BollardError):
        replay(altered(held, name, content), throwaway_key)


@pytest.mark.parametrize("name", [LIST, certificate_file("csms"), request_file("station"), certificate_file("root")])
def test_a_missing_file_is_refused(held: Held, name: str) -> None:
    """By name, where it is not read first."""
    files = {each: content for each, content in result(held).files.items() if each != name}
    with pytest.raises(RefusedError, match=f"{name}: it is missing"):
        replay(Result(files), throwaway_key)


def test_a_file_that_is_spoilt_is_named_once(held: Held) -> None:
    """With what is wrong with it."""
    name = certificate_file("csms")
    with pytest.raises(RefusedError) as refusal:
        replay(altered(held, name, b"no certificate"), throwaway_key)

    assert max(finding.says.count(name) for finding in refusal.value.findings) == 1


def test_a_file_that_nobody_asked_for_is_refused(held: Held) -> None:
    """A certificate more could be taken for one of the ceremony's."""
    with pytest.raises(RefusedError, match="nothing in the file asks for it"):
        replay(altered(held, certificate_file("evil"), b"x"), throwaway_key)


def test_certificates_that_change_places_are_refused(held: Held) -> None:
    """Both are the root's own, and each is named."""
    files = result(held).files
    csms, station = certificate_file("csms"), certificate_file("station")
    with pytest.raises(RefusedError) as refusal:
        replay(Result({**files, csms: files[station], station: files[csms]}), throwaway_key)

    assert codes(refusal.value) == {"ceremony.differs"}
    assert all(name in str(refusal.value) for name in (csms, station, TRANSCRIPT))


def test_a_ceremony_that_ended_early_says_how_far_it_got(held: Held) -> None:
    """Its last entry is named, and nothing of it is valid."""
    files = dict(result(held).files)
    files.pop(NOTE)
    files[TRANSCRIPT] = b"\n".join(files[TRANSCRIPT].split(b"\n")[:6])
    with pytest.raises(ConflictError) as refusal:
        replay(Result(files), throwaway_key)

    assert refusal.value.code == "ceremony.unfinished"
    assert "certificate.intended" in refusal.value.cause


def signed_anew(held: Held, change: dict[int, Line]) -> Result:
    """A transcript with other entries, signed by the root's own key: what a cheating participant could make."""
    entries = [
        Entry.write(each.index, each.at, change.get(each.index, each.line))
        for each in read_entries(result(held).transcript)
    ]
    files = {
        TRANSCRIPT: write_entries(entries),
        NOTE: sign_note(held.done.ceremony, entries, root_key(held)).encode(),
        "transcript.txt": transcript.for_people(held.done.ceremony, entries).encode(),
    }
    return Result({**result(held).files, **files})


def told(held: Held, **facts: Json) -> Line:
    """The first entry with other facts."""
    first = read_entries(result(held).transcript)[0].line
    return replace(first, what={**first.what, **facts})


def test_what_only_the_transcript_can_tell_is_taken_as_told(held: Held) -> None:
    """Which networks there were."""
    assert replay(signed_anew(held, {0: told(held, networks=["eth7"])}), throwaway_key).networks == ("eth7",)


CHEATS: dict[str, Callable[[Held], dict[int, Line]]] = {
    "a witness who typed nothing": lambda _: {1: Line("ceremony.witnessed", "Ada Example", {"role": "x"})},
    "other bytes before signing": lambda _: {4: Line("certificate.intended", "ceremony", {"name": "root"})},
    "a fact more": lambda held: {0: told(held, more=1)},
    "a past that a new root has not": lambda held: {0: told(held, before=held.done.history.told())},
    "networks that are no names": lambda held: {0: told(held, networks=[1])},
    "another end": lambda _: {12: Line("ceremony.ended", "ceremony", {"signed": 99})},
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_even_the_root_s_own_key_cannot_make_another_story_true(held: Held, cheat: str) -> None:
    """Entries follow from the file, not from who signs them."""
    with pytest.raises(RefusedError):
        replay(signed_anew(held, CHEATS[cheat](held)), throwaway_key)


def test_inputs_are_compared_with_those_that_were_reviewed(held: Held) -> None:
    """A file or a request that is another is named with both digests."""
    found, file = result(held), held.file.read_bytes()
    compare_inputs(found, file, found.requests)
    compare_inputs(found, file, None)
    with pytest.raises(RefusedError, match=r"ceremony\.toml.*SHA-256"):
        compare_inputs(found, file + b"\n", None)
    with pytest.raises(RefusedError, match=r"station\.csr"):
        compare_inputs(found, file, found.requests | {"station": csr("station")})


def test_the_first_entry_is_readable_json(held: Held) -> None:
    """An auditor needs no program of ours for it."""
    first = json.loads(result(held).transcript.split(b"\n")[0])

    assert first["what"]["file"] == held.done.ceremony.digest
