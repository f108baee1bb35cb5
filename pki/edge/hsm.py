"""Keys in a hardware token: they sign like any other key of ours, and never leave it.

* ``keys/<name>.hsm`` names the key in the token by its id, with its public half; nothing secret is in it.
* Each class below is a private key to the library's builders, but signing is all it can do.
* Without the ``hsm`` extra all of this can be imported; only using a token cannot be done then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, Self

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PSS
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pki.edge.passphrase import read_pin
from pki.edge.private_files import read_private, write_private
from pki.errors import BollardError, ForbiddenError
from pki.strength import KeyKind, Padding, SigningKey

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
    from cryptography.utils import Buffer

    from pki.edge.cryptoki import Cryptoki
    from pki.settings import Hsm

REFERENCE_BYTES: Final = 8_192  # of a .hsm file; RSA-4096, the longest, makes about 1,100


class HsmKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key in the token: its CKA_ID in hex, its label for people, kind, padding, and its public half in PEM."""

    id: str
    label: str
    kind: KeyKind
    padding: Padding
    public_key: str


class Token:
    """The token of one home; nothing is loaded or opened before it is needed."""

    def __init__(self, where: Hsm) -> None:
        self._where = where
        self._line: Cryptoki | None = None

    def open(self) -> None:
        """Make sure that the token is there and takes our PIN."""
        self.line.open()

    def close(self) -> None:
        """End the session, if there is one."""
        if self._line is not None:
            self._line.close()

    def make(self, label: str, kind: KeyKind, padding: Padding) -> HsmKey:
        """Make a key in the token."""
        key_id, public = self.line.make(label, kind)
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
        return HsmKey(key_id.hex(), label, kind, padding, pem)

    def key(self, known: HsmKey) -> SigningKey:
        """Return a key that the token holds now. Raises ``NotFoundError("hsm.key_missing")``."""
        key_id = bytes.fromhex(known.id)
        self.line.find(key_id)
        match load_pem_public_key(known.public_key.encode()):
            case ec.EllipticCurvePublicKey() as public:
                return TokenEcKey(self.line, key_id, public)
            case rsa.RSAPublicKey() as public:
                return TokenRsaKey(self.line, key_id, public)
            case ed25519.Ed25519PublicKey() as public:
                return TokenEd25519Key(self.line, key_id, public)
            case ed448.Ed448PublicKey() as public:
                return TokenEd448Key(self.line, key_id, public)
            case _:
                raise _damaged(f"the key {known.label[:80]!r} is of no kind that a token holds for us")

    @property
    def line(self) -> Cryptoki:
        """What speaks with the token."""
        if self._line is None:
            try:
                from pki.edge.cryptoki import Cryptoki
            except ImportError:
                raise BollardError(
                    "hsm.not_installed",
                    "keys in a hardware token need a package that is not installed",
                    "Install it: pip install 'bollard[hsm]'.",
                ) from None
            self._line = Cryptoki(self._where, read_pin)
        return self._line


def write_reference(path: Path, key: HsmKey) -> None:
    """Write down which key of the token a name stands for."""
    write_private(path, msgspec.json.format(msgspec.json.encode(key)) + b"\n")


def read_reference(path: Path) -> HsmKey:
    """Read which key of the token a name stands for."""
    try:
        known = msgspec.json.decode(read_private(path, REFERENCE_BYTES), type=HsmKey)
        bytes.fromhex(known.id)
        load_pem_public_key(known.public_key.encode())
    except OSError as problem:
        raise _damaged(f"{path.name} cannot be read: {problem.strerror}") from None
    except (msgspec.DecodeError, ValueError):
        raise _damaged(f"{path.name} does not say which key of the token it stands for") from None
    return known


def _damaged(says: str) -> BollardError:
    return BollardError("hsm.reference", says, "Restore it from a backup of keys/.")


def _stays() -> NoReturn:
    raise ForbiddenError("hsm.sealed", "the key lies in a hardware token and never leaves it", "Have it sign there.")


class TokenEcKey(ec.EllipticCurvePrivateKey):
    """An ECDSA key in the token."""

    def __init__(self, line: Cryptoki, key_id: bytes, public: ec.EllipticCurvePublicKey) -> None:
        self._line, self._id, self._public = line, key_id, public

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public half."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """Bits of the curve."""
        return self._public.key_size

    def sign(self, data: Buffer, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Hash here, sign there: few tokens hash for ECDSA, all sign a digest."""
        algorithm = signature_algorithm.algorithm
        digest = bytes(data)
        if not isinstance(algorithm, Prehashed):
            hashing = hashes.Hash(algorithm)
            hashing.update(digest)
            digest = hashing.finalize()
        numbers = self._line.sign_ecdsa(self._id, digest)
        half = len(numbers) // 2
        return encode_dss_signature(int.from_bytes(numbers[:half], "big"), int.from_bytes(numbers[half:], "big"))

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:  # noqa: ARG002 - theirs
        """Not for signing keys."""
        _stays()

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        """Nobody gets them."""
        _stays()

    def private_bytes(self, *_: object) -> bytes:
        """Nobody gets them."""
        _stays()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class TokenRsaKey(rsa.RSAPrivateKey):
    """An RSA key in the token."""

    def __init__(self, line: Cryptoki, key_id: bytes, public: rsa.RSAPublicKey) -> None:
        self._line, self._id, self._public = line, key_id, public

    def public_key(self) -> rsa.RSAPublicKey:
        """Return the public half."""
        return self._public

    @property
    def key_size(self) -> int:
        """Bits of the modulus."""
        return self._public.key_size

    def sign(
        self, data: Buffer, padding: AsymmetricPadding, algorithm: Prehashed | hashes.HashAlgorithm | NoDigestInfo
    ) -> bytes:
        """Hash and sign there, with PKCS#1 v1.5 or with PSS and a salt as long as the hash."""
        if not isinstance(algorithm, hashes.HashAlgorithm):
            _stays()
        chosen = Padding.PSS if isinstance(padding, PSS) else Padding.PKCS1
        return self._line.sign_rsa(self._id, bytes(data), chosen, algorithm.name)

    def decrypt(self, ciphertext: Buffer, padding: AsymmetricPadding) -> bytes:  # noqa: ARG002 - theirs
        """Not for signing keys."""
        _stays()

    def private_numbers(self) -> rsa.RSAPrivateNumbers:
        """Nobody gets them."""
        _stays()

    def private_bytes(self, *_: object) -> bytes:
        """Nobody gets them."""
        _stays()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class TokenEd25519Key(ed25519.Ed25519PrivateKey):
    """An Ed25519 key in the token."""

    def __init__(self, line: Cryptoki, key_id: bytes, public: ed25519.Ed25519PublicKey) -> None:
        self._line, self._id, self._public = line, key_id, public

    def public_key(self) -> ed25519.Ed25519PublicKey:
        """Return the public half."""
        return self._public

    def sign(self, data: Buffer) -> bytes:
        """Sign there."""
        return self._line.sign_eddsa(self._id, bytes(data))

    def private_bytes(self, *_: object) -> bytes:
        """Nobody gets them."""
        _stays()

    def private_bytes_raw(self) -> bytes:
        """Nobody gets them."""
        _stays()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class TokenEd448Key(ed448.Ed448PrivateKey):
    """An Ed448 key in the token."""

    def __init__(self, line: Cryptoki, key_id: bytes, public: ed448.Ed448PublicKey) -> None:
        self._line, self._id, self._public = line, key_id, public

    def public_key(self) -> ed448.Ed448PublicKey:
        """Return the public half."""
        return self._public

    def sign(self, data: Buffer) -> bytes:
        """Sign there."""
        return self._line.sign_eddsa(self._id, bytes(data))

    def private_bytes(self, *_: object) -> bytes:
        """Nobody gets them."""
        _stays()

    def private_bytes_raw(self) -> bytes:
        """Nobody gets them."""
        _stays()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self
