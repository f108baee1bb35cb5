"""Holds the names of certificates against what the authorities above them are limited to (RFC 5280 4.2.1.10).

* A name of a constrained form must lie in one of the permitted subtrees of *each* authority above, and in none of the
  excluded ones. Subject, e-mail addresses in it, and alternative names are names; so is the common name of a leaf
  without alternative DNS names, wherever somebody may take it for a host.
* What is not understood refuses: a form of name that is constrained but not known here, a constraint or a name that is
  not written as its form demands. A wildcard stands for every name it could match.
* Authorities that issued to themselves are exempt; the leaf never is.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.certificate import common_names
from pki.dn import compared, is_within
from pki.findings import Finding, error
from pki.server_name import bound_common_names, is_like_host, is_written_well

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pki.paper import Paper
    from pki.question import Question

COMPARISONS_MOST: Final = 1 << 18  # names times subtrees on one path; honest ones need a few hundred
_CLAUSE: Final = "RFC 5280 4.2.1.10"

_UNREADABLE_MAIL: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9")  # SmtpUTF8Mailbox, RFC 9598
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@\\\s]*@)?([A-Za-z0-9._-]+)(?::[0-9]*)?(?:[/?#]\S*)?")
_MAILBOX: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


class _UnclearError(ValueError):
    """A name or a constraint cannot be read in one way only."""


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of one certificate."""

    paper: Paper
    names: tuple[x509.GeneralName, ...]


def examine_names(path: Sequence[Paper], question: Question) -> Iterator[Finding]:
    """Hold each certificate of a path (leaf first) against the constraints of all above it."""
    limits = [(position, _limits(paper)) for position, paper in enumerate(path) if paper.find(x509.NameConstraints)]
    below = [
        _Names(paper, tuple(_names(paper, question, is_leaf=position == 0)))
        for position, paper in enumerate(path)
        if position == 0 or not paper.is_self_issued
    ]
    if limits and sum(len(each.names) for each in below) * sum(len(found) for _, found in limits) > COMPARISONS_MOST:
        yield error(question.code("constraint"), _CLAUSE, "there are more names and constraints than anybody needs")
        return
    places = {id(paper): position for position, paper in enumerate(path)}
    for position, found in limits:
        for each in below:
            if places[id(each.paper)] < position:
                yield from _examine(each, found, path[position], question)


def _limits(paper: Paper) -> list[tuple[bool, x509.GeneralName]]:
    """Return the subtrees of an authority, each with whether it is a permitted one."""
    found = paper.find(x509.NameConstraints)
    if found is None:
        return []
    permitted, excluded = found.value.permitted_subtrees or (), found.value.excluded_subtrees or ()
    return [*((True, tree) for tree in permitted), *((False, tree) for tree in excluded)]


def _names(paper: Paper, question: Question, *, is_leaf: bool) -> Iterator[x509.GeneralName]:
    """Name everything a certificate goes by."""
    alternative = paper.find(x509.SubjectAlternativeName)
    names = list(alternative.value) if alternative else []
    yield from names
    if paper.subject:
        yield x509.DirectoryName(paper.certificate.subject)
    for mail in paper.certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        yield x509.RFC822Name(str(mail.value)) if str(mail.value).isascii() else _unclear_mail()
    if is_leaf and not any(isinstance(name, x509.DNSName) for name in names):
        yield from _common_names(paper, question)


def _unclear_mail() -> x509.GeneralName:
    return x509.OtherName(_UNREADABLE_MAIL, b"\x0c\x00")


def _common_names(leaf: Paper, question: Question) -> Iterator[x509.GeneralName]:
    """What somebody may take for the host's name or address, though it stands in the common name."""
    bound = bound_common_names(leaf, question) if question.name is not None else ()
    for text in common_names(leaf.certificate.subject):
        if not (text in bound or is_like_host(text)):
            continue
        try:
            yield x509.IPAddress(ipaddress.ip_address(text))
        except ValueError:
            yield x509.DNSName(text if text.isascii() else "?")


def _examine(
    held: _Names, limits: list[tuple[bool, x509.GeneralName]], above: Paper, question: Question
) -> Iterator[Finding]:
    """Hold one certificate's names against one authority's subtrees."""
    for name in held.names:
        try:
            permitted = [_matches(name, tree) for is_permitted, tree in limits if is_permitted and _is_of(name, tree)]
            inside = not permitted or any(permitted)
            barred = any(
                _touches(name, tree) for is_permitted, tree in limits if not is_permitted and _is_of(name, tree)
            )
        except ValueError as unclear:
            says = f"a name of {held.paper} cannot be held against the constraints of {above}: {unclear}"
            yield error(question.code("constraint"), _CLAUSE, says)
            continue
        if barred or not inside:
            says = f"{_call(name)} of {held.paper} is not a name that {above} may vouch for"
            yield error(question.code("constraint"), _CLAUSE, says)


def _call(name: x509.GeneralName) -> str:
    if isinstance(name, x509.DirectoryName):
        return repr(name.value.rfc4514_string()[:96])
    return repr(str(name.value)[:96])


def _is_of(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    """Tell whether a constraint speaks of names of this form; a mailbox that cannot be read is a mailbox, too."""
    if isinstance(name, x509.OtherName) and name.type_id == _UNREADABLE_MAIL:
        return isinstance(tree, x509.RFC822Name | x509.OtherName)
    return type(name) is type(tree)


def _matches(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    """Tell whether all that a name stands for lies in a permitted subtree."""
    match name, tree:
        case x509.DNSName(), x509.DNSName():
            return _dns_within(_dns(name.value).removeprefix("*."), _dns_tree(tree.value))
        case x509.IPAddress(), x509.IPAddress():
            return _address_within(name, tree)
        case x509.DirectoryName(), x509.DirectoryName():
            return is_within(compared(name.value.public_bytes()), compared(tree.value.public_bytes()))
        case x509.RFC822Name(), x509.RFC822Name():
            return _mail_within(name.value, tree.value)
        case x509.UniformResourceIdentifier(), x509.UniformResourceIdentifier():
            return _host_within(_uri_host(name.value), tree.value)
        case _:
            raise _UnclearError("constraints of this form are not understood here")


def _touches(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    """Tell whether anything that a name stands for, however it is spelled, lies in an excluded subtree."""
    match name, tree:
        case x509.DNSName(), x509.DNSName():
            return _dns_touches(_dns(name.value), _dns_tree(tree.value))
        case x509.DirectoryName(), x509.DirectoryName():
            inner, outer = (compared(each.value.public_bytes(), broadly=True) for each in (name, tree))
            return is_within(inner, outer)
        case _:
            return _matches(name, tree)


def _dns(name: str) -> str:
    if not is_written_well(name):
        raise _UnclearError("it is no DNS name")
    return name.lower()


def _dns_tree(tree: str) -> str:
    """A subtree is a plain name; what begins with a dot or a wildcard means different things to different readers."""
    if tree and (not is_written_well(tree) or tree.startswith("*")):
        raise _UnclearError("the constraint is no DNS name")
    return tree.lower()


def _dns_within(name: str, tree: str) -> bool:
    return not tree or name == tree or name.endswith(f".{tree}")


def _dns_touches(name: str, tree: str) -> bool:
    """A wildcard touches what any one label in its place would make of it."""
    if not name.startswith("*."):
        return _dns_within(name, tree)
    return _dns_within(name[2:], tree) or tree.partition(".")[2] == name[2:]


def _address_within(name: x509.IPAddress, tree: x509.IPAddress) -> bool:
    network, address = tree.value, name.value
    if not isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network):
        raise _UnclearError("the constraint is no network")
    if not isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address):
        raise _UnclearError("it is no address")
    return address in network


def _mail_within(name: str, tree: str) -> bool:
    """One mailbox, all of one host, or all of the hosts below a domain; capitals matter before the @ alone."""
    if not _MAILBOX.fullmatch(name):
        raise _UnclearError("it is no plain mailbox")
    local, _, host = name.rpartition("@")
    if "@" in tree:
        if not _MAILBOX.fullmatch(tree):
            raise _UnclearError("the constraint is no plain mailbox")
        wanted, _, at = tree.rpartition("@")
        return local == wanted and host.lower() == at.lower()
    return _host_within(host, tree)


def _host_within(host: str, tree: str) -> bool:
    """One host, or with a dot in front all hosts below a domain; for mail and URIs, not for DNS names."""
    if not is_written_well(tree.removeprefix(".")) or "*" in tree:
        raise _UnclearError("the constraint is no host")
    if tree.startswith("."):
        return host.lower().endswith(tree.lower())
    return host.lower() == tree.lower()


def _uri_host(uri: str) -> str:
    """RFC 5280 4.2.1.10: a URI without a host name, or with an address, cannot be constrained and is refused."""
    found = _URI.fullmatch(uri)
    if found is None or found[1].endswith(".") or found[1].rpartition(".")[2].isdigit():
        raise _UnclearError("it is a URI without a host name")
    return found[1]
