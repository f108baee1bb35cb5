"""Speaks PKCS#11 with a hardware token: finds it, opens it, makes keys in it, and has it sign.

* Importing this file needs the ``hsm`` extra; ``hsm`` does so only when a token is used.
* One call at a time, in the whole process: modules are initialised without locks of their own.
* A token that went away is looked for and opened again, once for each thing asked. A wrong PIN is never tried twice,
  and a PIN is not tried at all when a wrong one would lock the token: after a few wrong ones its keys are lost.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from typing import TYPE_CHECKING, Final, TypeVar

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from pkcs11 import MGF, Attribute, KeyType, MechanismFlag, ObjectClass
from pkcs11 import Mechanism as Way
from pkcs11.types import SignMixin

from pki.edge.token_errors import HOPELESS, WRONG_PIN, check_sealed, check_tries, told, wrong_pin
from pki.errors import ForbiddenError, InputError, NotFoundError, UnreachableError
from pki.strength import CURVES, RSA_BITS, RSA_EXPONENT, KeyKind, Padding

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkcs11._pkcs11 import lib as Module  # noqa: N812 - a class in all but its name

    from pki.edge.passphrase import Pin
    from pki.settings import Hsm

    TokenPublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

T = TypeVar("T")

ID_BYTES: Final = 16  # random bytes of CKA_ID: keys are found by it, so two homes may share a token

_CURVE_NAMES: Final = {
    KeyKind.EC_P256: bytes.fromhex("06082a8648ce3d030107"),
    KeyKind.EC_P384: bytes.fromhex("06052b81040022"),
    KeyKind.EC_P521: bytes.fromhex("06052b81040023"),
    KeyKind.ED25519: bytes.fromhex("06032b6570"),
    KeyKind.ED448: bytes.fromhex("06032b6571"),
}
"""The object identifiers of RFC 5480 2.1.1.1 and RFC 8410 3 in DER, as CKA_EC_PARAMS takes them."""

_RSA_WAYS: Final = {
    (Padding.PKCS1, "sha256"): (Way.SHA256_RSA_PKCS, None),
    (Padding.PKCS1, "sha384"): (Way.SHA384_RSA_PKCS, None),
    (Padding.PKCS1, "sha512"): (Way.SHA512_RSA_PKCS, None),
    (Padding.PSS, "sha256"): (Way.SHA256_RSA_PKCS_PSS, (Way.SHA256, MGF.SHA256, 32)),
    (Padding.PSS, "sha384"): (Way.SHA384_RSA_PKCS_PSS, (Way.SHA384, MGF.SHA384, 48)),
    (Padding.PSS, "sha512"): (Way.SHA512_RSA_PKCS_PSS, (Way.SHA512, MGF.SHA512, 64)),
}
"""Mechanism and parameters (hash, mask hash, bytes of salt) by padding and hash."""

_SECRET: Final = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
_LOCK: Final = threading.RLock()


class Cryptoki:
    """A line to one token, opened when first needed and kept."""

    def __init__(self, where: Hsm, read_pin: Callable[[], Pin]) -> None:
        self._where = where
        self._read_pin = read_pin
        self._session: pkcs11.Session | None = None
        self._keys: dict[bytes, SignMixin] = {}
        self._refused = False

    def open(self) -> None:
        """Make sure that the token is there and open."""
        self._do(lambda session: session.token)

    def close(self) -> None:
        """End the session; the next thing asked begins another."""
        with _LOCK:
            self._drop()

    def make(self, label: str, kind: KeyKind) -> tuple[bytes, TokenPublicKey]:
        """Make a key that cannot leave the token; return its CKA_ID and its public half."""
        if kind not in _CURVE_NAMES and kind not in RSA_BITS:
            raise InputError("hsm.kind", f"no token makes keys of the kind {kind} yet", "Keep this key in a file.")
        return self._do(lambda session: _make(session, label, kind))

    def find(self, key_id: bytes) -> None:
        """Make sure that the token holds this key. Raises ``NotFoundError("hsm.key_missing")``."""
        self._do(lambda session: self._key(session, key_id))

    def sign_ecdsa(self, key_id: bytes, digest: bytes) -> bytes:
        """Sign a digest; the two numbers of the signature follow each other, of equal length."""
        return self._sign(key_id, digest, Way.ECDSA, None)

    def sign_eddsa(self, key_id: bytes, data: bytes) -> bytes:
        """Sign data with Ed25519 or Ed448."""
        return self._sign(key_id, data, Way.EDDSA, None)

    def sign_rsa(self, key_id: bytes, data: bytes, padding: Padding, hash_name: str) -> bytes:
        """Sign data, which the token hashes; a PSS salt is as long as the hash (RFC 4055 3.1)."""
        return self._sign(key_id, data, *_RSA_WAYS[padding, hash_name])

    def _sign(self, key_id: bytes, data: bytes, way: Way, parameter: tuple[Way, MGF, int] | None) -> bytes:
        def sign(session: pkcs11.Session) -> bytes:
            return self._key(session, key_id).sign(data, mechanism=way, mechanism_param=parameter)

        return self._do(sign)

    def _do(self, act: Callable[[pkcs11.Session], T]) -> T:
        """Act in the session there is; when that fails for a reason that a new session may mend, once more in one."""
        with _LOCK:
            try:
                return act(self._session or self._connect())
            except pkcs11.PKCS11Error as problem:
                self._drop()
                if isinstance(problem, HOPELESS):
                    raise told(problem) from None
            try:
                return act(self._connect(anew=True))
            except pkcs11.PKCS11Error as problem:
                self._drop()
                raise told(problem) from None

    def _drop(self) -> None:
        self._keys.clear()
        if self._session is not None:
            with contextlib.suppress(pkcs11.PKCS11Error):
                self._session.close()
        self._session = None

    def _connect(self, *, anew: bool = False) -> pkcs11.Session:
        if self._refused:
            raise wrong_pin("was refused before and is not tried again")
        module = _load(self._where.module)
        if anew:
            _restart(module)
        token = self._locate(module)
        if token is None:
            _restart(module)  # some modules look for tokens only while they start
            token = self._locate(module)
        if token is None:
            raise UnreachableError(
                "hsm.token_missing",
                f"the PKCS#11 module sees no token {self._where.token!r}",
                "Plug it in or start its service, and compare [hsm] in bollard.toml with 'pkcs11-tool --list-slots'.",
            )
        self._session = self._log_in(token)
        return self._session

    def _locate(self, module: Module) -> pkcs11.Token | None:
        tokens = [
            token
            for token in module.get_tokens(token_label=self._where.token)
            if self._where.slot in {None, token.slot.slot_id}
        ]
        if len(tokens) > 1:
            raise InputError(
                "hsm.token_ambiguous",
                f"{len(tokens)} tokens are labelled {self._where.token!r}",
                "Name one of them by 'slot = NUMBER' under [hsm] in bollard.toml.",
            )
        return tokens[0] if tokens else None

    def _log_in(self, token: pkcs11.Token) -> pkcs11.Session:
        check_tries(token.flags)
        pin = self._read_pin()
        try:
            return token.open(user_pin=pin.secret)
        except pkcs11.UserAlreadyLoggedIn:  # PKCS#11 knows one login for all sessions of a process
            return token.open()
        except WRONG_PIN:
            self._refused = True
            raise

    def _key(self, session: pkcs11.Session, key_id: bytes) -> SignMixin:
        if key_id not in self._keys:
            _probe(session)
            wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id}
            found = [key for key in session.get_objects(wanted) if isinstance(key, SignMixin)]
            if len(found) != 1:
                raise pkcs11.NoSuchKey(key_id.hex())  # a new session is tried: it may have been pulled
            self._keys[key_id] = found[0]
        return self._keys[key_id]


def _make(session: pkcs11.Session, label: str, kind: KeyKind) -> tuple[bytes, TokenPublicKey]:
    key_id = secrets.token_bytes(ID_BYTES)
    with session.token.open(rw=True) as writing:  # logged in already, as the other session is
        public, private = _generate(writing, kind, label, key_id)
        try:
            check_sealed(extractable=private[Attribute.EXTRACTABLE], sensitive=private[Attribute.SENSITIVE])
        except ForbiddenError:
            private.destroy()
            raise
        return key_id, _public_half(public, kind)


def _generate(
    session: pkcs11.Session, kind: KeyKind, label: str, key_id: bytes
) -> tuple[pkcs11.PublicKey, pkcs11.PrivateKey]:
    uses = MechanismFlag.SIGN | MechanismFlag.VERIFY
    if kind in RSA_BITS:
        exponent = {Attribute.PUBLIC_EXPONENT: RSA_EXPONENT.to_bytes(3, "big")}
        return session.generate_keypair(
            KeyType.RSA, RSA_BITS[kind], id=key_id, label=label, store=True, capabilities=uses,
            public_template=exponent, private_template=_SECRET,
        )  # fmt: skip
    key_type = KeyType.EC if kind in CURVES else KeyType.EC_EDWARDS
    parameters = session.create_domain_parameters(key_type, {Attribute.EC_PARAMS: _CURVE_NAMES[kind]}, local=True)
    return parameters.generate_keypair(id=key_id, label=label, store=True, capabilities=uses, private_template=_SECRET)


def _public_half(public: pkcs11.PublicKey, kind: KeyKind) -> TokenPublicKey:
    """The point is the end of CKA_EC_POINT: most tokens wrap it in an OCTET STRING, as they should, and some do not."""
    if kind in RSA_BITS:
        numbers = (int.from_bytes(public[each], "big") for each in (Attribute.PUBLIC_EXPONENT, Attribute.MODULUS))
        return rsa.RSAPublicNumbers(*numbers).public_key()
    point: bytes = public[Attribute.EC_POINT]
    if kind is KeyKind.ED25519:
        return ed25519.Ed25519PublicKey.from_public_bytes(point[-32:])
    if kind is KeyKind.ED448:
        return ed448.Ed448PublicKey.from_public_bytes(point[-57:])
    curve = CURVES[kind]
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, point[-(1 + 2 * ((curve.key_size + 7) // 8)) :])


def _probe(session: pkcs11.Session) -> None:
    """Ask something small first: a search in a dead session leaves an unfinished one, which complains when freed."""
    with contextlib.suppress(pkcs11.RandomNoRNG, pkcs11.FunctionNotSupported):
        session.generate_random(8)


def _load(path: str) -> Module:
    try:
        return pkcs11.lib(path)
    except pkcs11.PKCS11Error:
        raise NotFoundError(
            "hsm.module",
            f"{path!r} is no PKCS#11 module that loads and starts",
            "Install the token's software, and correct [hsm] module in bollard.toml.",
        ) from None


def _restart(module: Module) -> None:
    with contextlib.suppress(pkcs11.PKCS11Error):
        module.finalize()
    module.initialize()
