"""A real token (SoftHSM2) makes keys that cannot leave it, signs, goes away, comes back, and is spared a wrong PIN."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from pkcs11 import Attribute, TokenFlag

from pki.edge.cryptoki import Cryptoki
from pki.edge.passphrase import Pin, read_pin
from pki.errors import BollardError, ForbiddenError, InputError, NotFoundError, UnreachableError
from pki.settings import Hsm
from pki.strength import KeyKind, Padding
from tests.tokens import LABEL, PIN, WRONG, SoftToken, restart, soft_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    """A token of this test alone."""
    yield from soft_token(tmp_path, monkeypatch)


@pytest.fixture
def line(token: SoftToken) -> Iterator[Cryptoki]:
    """A line to it."""
    made = Cryptoki(token.where, read_pin)
    yield made
    made.close()


def signed(line: Cryptoki, key_id: bytes, public: object) -> None:
    """Sign a digest with an ECDSA key of the token, and check the signature."""
    assert isinstance(public, ec.EllipticCurvePublicKey)
    numbers = line.sign_ecdsa(key_id, b"\x11" * 32)
    half = len(numbers) // 2
    signature = encode_dss_signature(*(int.from_bytes(part, "big") for part in (numbers[:half], numbers[half:])))
    public.verify(signature, b"\x11" * 32, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_a_key_in_the_token_cannot_be_read_by_anybody(line: Cryptoki, token: SoftToken) -> None:
    """Neither its value nor a wrapped copy: the token says so itself, and was made to from the first moment."""
    key_id, _ = line.make("bollard-test-one", KeyKind.EC_P256)

    with pkcs11.lib(token.module).get_token(token_label=LABEL).open() as session:
        key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, id=key_id)
        assert key[Attribute.LABEL] == "bollard-test-one"
        assert key[Attribute.SENSITIVE]
        assert key[Attribute.ALWAYS_SENSITIVE]
        assert key[Attribute.NEVER_EXTRACTABLE]
        assert not key[Attribute.EXTRACTABLE]
        with pytest.raises(pkcs11.AttributeSensitive):
            _ = key[Attribute.VALUE]


@pytest.mark.parametrize("chosen", list(Padding))
@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda each: each.name)
def test_rsa_signs_with_either_padding_over_every_hash(
    line: Cryptoki, chosen: Padding, algorithm: hashes.HashAlgorithm
) -> None:
    """The salt of PSS is as long as the hash, and its mask is made with the same hash (RFC 4055 3.1)."""
    key_id, public = line.make("rsa", KeyKind.RSA_2048)
    assert isinstance(public, rsa.RSAPublicKey)

    signature = line.sign_rsa(key_id, b"data", chosen, algorithm.name)

    strict = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    public.verify(signature, b"data", strict if chosen is Padding.PSS else padding.PKCS1v15(), algorithm)


def test_a_restarted_token_service_is_not_noticed(line: Cryptoki, token: SoftToken) -> None:
    """Every session and handle is gone; the next signature opens new ones."""
    key_id, public = line.make("one", KeyKind.EC_P256)
    for _ in range(3):
        restart(token)
        signed(line, key_id, public)


def test_a_token_that_went_away_is_named_and_used_again_when_it_is_back(line: Cryptoki, token: SoftToken) -> None:
    """Nobody has to start the authority anew."""
    key_id, public = line.make("one", KeyKind.EC_P256)
    token.pull()
    with pytest.raises(UnreachableError, match=r"hsm\.token_missing"):
        signed(line, key_id, public)

    token.plug()
    signed(line, key_id, public)


def test_a_wrong_pin_is_tried_once_and_never_again(
    line: Cryptoki, token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when the right one would be given by now: what cannot be tried cannot lock the token."""
    monkeypatch.setenv("BOLLARD_HSM_PIN", WRONG)
    with pytest.raises(ForbiddenError, match=r"hsm\.pin_wrong: the token's PIN is wrong") as refused:
        line.open()
    assert pkcs11.lib(token.module).get_token(token_label=LABEL).flags & TokenFlag.USER_PIN_COUNT_LOW
    monkeypatch.setenv("BOLLARD_HSM_PIN", PIN)
    with pytest.raises(ForbiddenError, match=r"hsm\.pin_wrong: .*not tried again"):
        line.open()

    assert WRONG not in f"{refused.value}{refused.value.advice}{refused.value!r}"
    Cryptoki(token.where, read_pin).open()  # a process that is started anew may try


def test_no_pin_no_token(line: Cryptoki, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one is not guessed."""
    monkeypatch.delenv("BOLLARD_HSM_PIN")
    with pytest.raises(ForbiddenError, match=r"hsm\.pin_missing"):
        line.open()


def test_a_missing_key_is_named_by_its_id(line: Cryptoki) -> None:
    """It may be another token, restored from an older backup."""
    with pytest.raises(NotFoundError, match=r"hsm\.key_missing.*0102"):
        line.find(b"\x01\x02")


def test_a_kind_that_no_token_makes_is_refused_before_it_is_asked(line: Cryptoki) -> None:
    """ML-DSA keys are files for now."""
    with pytest.raises(InputError, match=r"hsm\.kind.*ml-dsa-65"):
        line.make("x", KeyKind.ML_DSA_65)


def test_two_tokens_of_one_label_need_their_slot(token: SoftToken) -> None:
    """Signing with the wrong one would be worse than asking."""
    token.add()
    restart(token)
    with pytest.raises(InputError, match=r"hsm\.token_ambiguous"):
        Cryptoki(token.where, read_pin).open()

    slot = next(pkcs11.lib(token.module).get_tokens(token_label=LABEL)).slot.slot_id
    Cryptoki(Hsm.parse(token.module, LABEL, slot), read_pin).open()


@pytest.mark.parametrize("content", [None, b"", b"no library at all"], ids=["absent", "empty", "text"])
def test_a_module_that_is_none_is_named(content: bytes | None, tmp_path: Path) -> None:
    """Its path is the one in bollard.toml."""
    path = tmp_path / "module.so"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotFoundError, match=r"hsm\.module.*module\.so"):
        Cryptoki(Hsm.parse(str(path), LABEL), read_pin).open()


def test_many_threads_log_in_once(token: SoftToken) -> None:
    """While one is about to give the PIN, the others wait: a wrong one would else be given by each."""
    second, given = threading.Event(), list[Pin]()

    def read() -> Pin:
        given.append(read_pin())
        if len(given) > 1:
            second.set()
        second.wait(0.2)  # seconds in which nobody else may come as far as this
        return given[-1]

    line = Cryptoki(token.where, read)
    threads = [threading.Thread(target=line.open) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    line.close()

    assert len(given) == 1


def test_the_last_try_of_a_real_token_is_not_spent(line: Cryptoki, token: SoftToken) -> None:
    """The flag is set in the token's own file; the PIN is right, and still not tried."""
    token.flag(TokenFlag.USER_PIN_FINAL_TRY)
    restart(token)
    assert pkcs11.lib(token.module).get_token(token_label=LABEL).flags & TokenFlag.USER_PIN_FINAL_TRY
    with pytest.raises(ForbiddenError, match=r"hsm\.pin_last_try"):
        line.open()


def test_threads_wait_for_each_other(line: Cryptoki) -> None:
    """A module that was started without locks never sees two calls at once."""
    key_id, public = line.make("one", KeyKind.EC_P256)
    failed: list[BollardError] = []

    def work() -> None:
        try:
            for _ in range(25):
                signed(line, key_id, public)
        except BollardError as problem:
            failed.append(problem)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
