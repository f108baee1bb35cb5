"""A key in a token is a key like any other to whoever signs with it, and to nobody else."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import to_pem
from pki.edge import hsm
from pki.edge.cryptoki import Cryptoki
from pki.edge.hsm import Token, TokenRsaKey
from pki.edge.keyfiles import in_clear
from pki.edge.passphrase import read_pin
from pki.errors import BollardError, ForbiddenError, RefusedError
from pki.issue import sign
from pki.lint import approve
from pki.plan import Issuer, Subject, plan, plan_root
from pki.settings import Hsm
from pki.strength import KeyKind, Padding
from tests.pki.papers import NOW, ORGANISATION, issuing, key, profile, serial
from tests.tokens import SoftToken, restart, soft_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cryptography.utils import Buffer

    from pki.plan import Plan
    from pki.strength import SigningKey

KINDS = [
    *((kind, Padding.PKCS1) for kind in KeyKind if kind.startswith(("ec-", "ed"))),
    (KeyKind.RSA_2048, Padding.PKCS1),
    (KeyKind.RSA_3072, Padding.PSS),
]


@pytest.fixture
def soft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    """A real token of this test alone."""
    yield from soft_token(tmp_path, monkeypatch)


@pytest.fixture
def token(soft: SoftToken) -> Iterator[Token]:
    """Our side of it."""
    made = Token(soft.where)
    yield made
    made.close()


def made(token: Token, kind: KeyKind = KeyKind.EC_P256, chosen: Padding = Padding.PKCS1) -> SigningKey:
    """A new key in the token."""
    return token.key(token.make("bollard-test", kind, chosen))


def root_plan(holder: SigningKey, chosen: Padding = Padding.PKCS1) -> Plan:
    """A root for a key."""
    subject = Subject("Token Root", ORGANISATION)
    return plan_root(profile("root"), subject, holder.public_key(), serial(1), NOW, padding=chosen)


@pytest.mark.parametrize(("kind", "chosen"), KINDS)
def test_every_kind_in_the_token_issues_what_openssl_verifies(
    kind: KeyKind, chosen: Padding, token: Token, tmp_path: Path
) -> None:
    """A root, and a station's certificate below it, by the one way: planned, linted on a twin, signed, compared."""
    holder = made(token, kind, chosen)
    root = sign(approve(root_plan(holder, chosen)), holder).certificate
    planned = plan(
        profile("station"),
        Subject("SN-001", ORGANISATION),
        key("p256", "leaf").public_key(),
        Issuer("root", root, chosen),
        serial(2),
        NOW,
    )
    leaf = sign(approve(planned), holder).certificate

    for name, certificate in (("root.pem", root), ("leaf.pem", leaf)):
        (tmp_path / name).write_text(to_pem([certificate]))
    command = ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-CAfile", "root.pem", "leaf.pem"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.stdout == "leaf.pem: OK\n", checked.stderr


def test_another_key_of_the_token_never_passes_for_the_issuer_s(token: Token, soft: SoftToken) -> None:
    """Somebody edited the id in the reference: the signature is made, does not verify, and is handed to nobody."""
    known, other = (token.make("bollard-test", KeyKind.EC_P256, Padding.PKCS1) for _ in range(2))
    crossed = token.key(hsm.HsmKey(other.id, known.label, known.kind, known.padding, known.public_key))
    approved = approve(root_plan(crossed))
    with pytest.raises(RefusedError, match=r"issue\.signature"):
        sign(approved, crossed)


def test_a_session_that_was_lost_is_no_reason_to_fail(token: Token, soft: SoftToken) -> None:
    """The key is asked for once and held for months; the token's service is restarted meanwhile."""
    holder = made(token)
    restart(soft)

    sign(approve(root_plan(holder)), holder)


@pytest.mark.parametrize("kind", [KeyKind.EC_P256, KeyKind.RSA_2048, KeyKind.ED25519, KeyKind.ED448])
def test_a_key_in_the_token_is_given_to_nobody(kind: KeyKind, token: Token) -> None:
    """Whatever a library might try with a private key, except signing."""
    holder = made(token, kind)
    with pytest.raises(ForbiddenError, match=r"hsm\.sealed"):
        in_clear(holder)
    for name in ("private_numbers", "private_bytes_raw"):
        with pytest.raises((ForbiddenError, AttributeError), match=r"hsm\.sealed|has no attribute"):
            getattr(holder, name)()
    assert copy.copy(holder) is holder
    assert copy.deepcopy(holder) is holder


def test_a_key_in_the_token_neither_agrees_nor_decrypts(token: Token) -> None:
    """It was made for signing alone."""
    elliptic, other = made(token), made(token, KeyKind.RSA_2048)
    assert isinstance(elliptic, ec.EllipticCurvePrivateKey)
    assert isinstance(other, rsa.RSAPrivateKey)
    with pytest.raises(ForbiddenError, match=r"hsm\.sealed"):
        elliptic.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(ForbiddenError, match=r"hsm\.sealed"):
        other.decrypt(b"x" * 256, padding.PKCS1v15())


class ShortSalt(TokenRsaKey):
    """A faulty token: it signs with another salt than it was told to."""

    def sign(self, data: Buffer, *_: object) -> bytes:
        """Use 20 bytes."""
        holder = key("rsa2048", "issuing")
        assert isinstance(holder, rsa.RSAPrivateKey)
        return holder.sign(bytes(data), padding.PSS(padding.MGF1(hashes.SHA256()), 20), hashes.SHA256())


def test_a_pss_signature_with_another_salt_than_it_names_never_leaves() -> None:
    """Half of all verifiers would take it, and the other half would not."""
    above = issuing("rsa2048", padding=Padding.PSS)
    public_leaf = key("p256", "leaf").public_key()
    planned = plan(profile("station"), Subject("SN-1", ORGANISATION), public_leaf, above, serial(5), NOW)
    public = above.certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    faulty = ShortSalt(Cryptoki(Hsm("/none", "none"), read_pin), b"", public)
    with pytest.raises(RefusedError) as refusal:
        sign(approve(planned), faulty)

    assert refusal.value.code == "issue.signature"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"id": "no hex"}, id="an id that is none"),
        pytest.param({"kind": "rsa-1024"}, id="a kind that is none"),
        pytest.param({"padding": "none"}, id="a padding that is none"),
        pytest.param({"public_key": "PEM"}, id="a public key that is none"),
        pytest.param({"pin": "1234"}, id="more than there should be"),
        pytest.param({"label": "x" * 10_000}, id="endless"),
    ],
)
def test_a_damaged_reference_is_named(change: dict[str, str], tmp_path: Path) -> None:
    """Which file it is, and what to do."""
    pem = key("p256", "x").public_key().public_bytes(Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    good = {"id": "01" * 16, "label": "l", "kind": "ec-p256", "padding": "pkcs1", "public_key": pem.decode()}
    (tmp_path / "root.hsm").write_text(json.dumps(good))
    assert hsm.read_reference(tmp_path / "root.hsm").kind is KeyKind.EC_P256

    (tmp_path / "root.hsm").write_text(json.dumps(good | change))
    with pytest.raises(BollardError, match=r"hsm\.reference.*root\.hsm"):
        hsm.read_reference(tmp_path / "root.hsm")


def test_without_the_extra_everything_works_but_the_token() -> None:
    """Whoever has no token needs no package for it, and whoever has one is told which."""
    script = (
        "import sys; sys.modules['pkcs11'] = None\n"
        "from pki.edge.hsm import Token; from pki.settings import Hsm; from pki.errors import BollardError\n"
        "import pki.edge.keys, pki.edge.office.front\n"
        "try: Token(Hsm.parse('/lib/x.so', 'x')).open()\n"
        "except BollardError as told: print(told.code, told.advice)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "hsm.not_installed Install it: pip install 'bollard[hsm]'.\n"
