"""What a listener agrees to in TLS: versions, suites, certificates, and whom it trusts.

Rules this file keeps:

* TLS 1.2 and 1.3, the standard's suites and nothing else (A00.FR.313, .318); no compression (A00.FR.321), no
  renegotiation, no tickets and no session cache, so that no connection escapes its certificate check.
* An ECDSA and an RSA certificate on one context, because stations have the suites of one kind only (A00.FR.318).
* Old TLS (1.0, 1.1) is a context of its own that can do nothing else, so that the old suite is never had with TLS 1.2
  (A00.FR.324 of OCPP 1.6) and no other context is weaker for it.
* A client may ask for a host by name and for the status of our certificate; whatever it asks, it is answered, with the
  certificate for everybody and without a status where there is nothing better.
* A certificate is trusted for stations only when it ends in an anchor given for stations; the operator's root is not
  one of them, so that a CSMS certificate is no station certificate.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from secproxy.edge.tls_failure import judge_but_end, judge_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pki.edge.calls import Credentials, NamedCredentials

    Judge = Callable[[SSL.Connection, crypto.X509, int, int, int], bool]

SUITES: Final = b"ECDHE+AESGCM:AES128-GCM-SHA256:AES256-GCM-SHA384"  # A00.FR.318; forward secrecy first
SUITES_1_3: Final = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"  # the cheapest first
LEGACY_SUITES: Final = b"AES128-SHA:@SECLEVEL=0"  # TLS_RSA_WITH_AES_128_CBC_SHA; the level is OpenSSL's way to allow it
CHAIN_DEPTH: Final = 5  # certificates between leaf and anchor


def server_context(
    credentials: Credentials,
    anchors: Sequence[x509.Certificate],
    *,
    mutual: bool,
    legacy: bool = False,
    late: bool = False,
    staple: Callable[[bytes], bytes] = lambda _: b"",
) -> SSL.Context:
    """Make a listener's context. ``anchors`` are the certificates that station certificates may end in; ``legacy``
    makes it one of old TLS alone; with ``late`` a certificate that has ended gets as far as admission, which knows
    whose may (A00.FR.429); ``staple`` returns the OCSP answer about a certificate of ours (DER), or nothing."""

    def made(papers: Credentials | NamedCredentials) -> SSL.Context:
        context = _bare(legacy=legacy)
        context.set_ocsp_server_callback(partial(_staple, staple))
        _present(context, papers)
        if mutual:
            _demand_certificate(context, anchors, judge_but_end if late else judge_certificate)
        return context

    context, named = made(credentials), {each.host.encode(): made(each) for each in credentials.named}
    if named:
        context.set_tlsext_servername_callback(partial(_choose, named))
    return context


def _bare(*, legacy: bool) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION if legacy else SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_1_VERSION if legacy else 0)  # 0: the library's newest
    context.set_cipher_list(LEGACY_SUITES if legacy else SUITES)
    context.set_tls13_ciphersuites(SUITES_1_3)
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET | SSL.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


def _choose(named: Mapping[bytes, SSL.Context], conn: SSL.Connection) -> None:
    """Present the certificate for the host that was asked for. A name that is not known gets the one for everybody:
    stations send what they have, and an alert would shut them out (RFC 6066 3)."""
    context = named.get((conn.get_servername() or b"").lower())
    if context is not None:
        conn.set_context(context)


def _staple(of: Callable[[bytes], bytes], conn: SSL.Connection, _: object) -> bytes:
    """OpenSSL asks this when the client wants an answer, after it has chosen which certificate to present."""
    chosen = conn.get_certificate()
    return of(crypto.dump_certificate(crypto.FILETYPE_ASN1, chosen)) if chosen else b""


def _present(context: SSL.Context, credentials: Credentials | NamedCredentials) -> None:
    """Load both server certificates; their common chain goes with either."""
    pairs = [(credentials.ecdsa_chain, credentials.ecdsa_key), (credentials.rsa_chain, credentials.rsa_key)]
    chains = [(x509.load_pem_x509_certificates(chain.encode()), key) for chain, key in pairs if key]
    for chain, key in chains:
        context.use_certificate(chain[0])
        context.use_privatekey(_private_key(key))
        context.check_privatekey()
    for certificate in dict.fromkeys(certificate for chain, _ in chains for certificate in chain[1:]):  # in order
        context.add_extra_chain_cert(certificate)


def _private_key(pem: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError("a server key is ECDSA or RSA (A00.FR.318)")
    return key


def _demand_certificate(context: SSL.Context, anchors: Sequence[x509.Certificate], judge: Judge) -> None:
    store = context.get_cert_store()
    assert store is not None  # noqa: S101 - a context made here has one
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for anchor in anchors:
        store.add_cert(crypto.X509.from_cryptography(anchor))
    context.set_verify_depth(CHAIN_DEPTH)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, judge)
