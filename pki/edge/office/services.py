"""Which of our authorities answer for what they signed, and at which addresses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cryptography import x509

from pki.certificate import extension, is_self_issued, key_id
from pki.edge import clock
from pki.edge.ledger import crls
from pki.holding import Keeper, KeyState
from pki.services import ROOT_SHARDS, SHARDS, Services

if TYPE_CHECKING:
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate


async def services_of(desk: Desk, issuer: OwnCertificate) -> Services | None:
    """Return the addresses that stand in what this authority signs; ``None`` where the settings name none."""
    if not desk.settings.status_url:
        return None
    return Services(desk.settings.status_url, issuer.name, await shards_of(desk, issuer))


async def shards_of(desk: Desk, issuer: OwnCertificate) -> int:
    """Return into how many shards its list is cut; the first question fixes it."""
    if issuer.name not in desk.memory.shards:
        fix = partial(_fix, desk, issuer, key_id(issuer.certificate))
        desk.memory.shards[issuer.name] = await desk.ledger.write(fix)
    return desk.memory.shards[issuer.name]


def answering(desk: Desk) -> list[OwnCertificate]:
    """Return the authorities that sign lists themselves: the key is here, the certificate has not ended.

    One whose key lies elsewhere is left out: whoever has the key signs its list.
    """
    return [own for own in desk.own.values() if own.holding.keeper is Keeper.HERE and signs_lists(own)]


def signs_lists(own: OwnCertificate) -> bool:
    """Tell whether this is an authority of ours that counts, and may sign lists (RFC 5280 4.2.1.3)."""
    if own.holding.state is KeyState.RETIRED or own.certificate.not_valid_after_utc <= clock.now():
        return False
    usage = extension(own.certificate, x509.KeyUsage)
    return usage is not None and usage.value.crl_sign


def below_the_root(desk: Desk) -> list[OwnCertificate]:
    """Return those that have OCSP answered for what they signed: the root has not, since its key is to rest."""
    return [own for own in answering(desk) if not is_self_issued(own.certificate)]


def _fix(desk: Desk, issuer: OwnCertificate, key: bytes, tx: Tx) -> int:
    if desk.settings.status_url:
        crls.add_base(tx.database, desk.settings.status_url)
    return crls.fix_shards(tx.database, key, ROOT_SHARDS if is_self_issued(issuer.certificate) else SHARDS)
