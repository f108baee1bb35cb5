"""What each code of an error or a finding means, for what this room decides; one sentence each, data alone.

A code that never changes deserves an explanation that can be looked up when the error itself has scrolled away. The
tables of ``pki.firmware.codes``, ``pki.edge.codes``, ``secproxy.codes`` and ``cli.codes`` go on from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CODES: Final[Mapping[str, str]] = {
    # Names, settings and other things that people hand over
    "clause.unknown": "No clause of the standard or of an RFC has this number here; copy it as it was printed.",
    "name.certificate_serial": "This is no serial number of a certificate; give it in hex, as a list has it.",
    "name.host": "This is no host name that stations could dial; give the full name, such as csms.example.org.",
    "name.identity": "This is no station identity: 1 to 48 of the characters that OCPP allows, with no colon.",
    "name.organisation": "This is no name of an organisation; give the legal or trading name on one line.",
    "name.server": "This is neither a DNS name nor an address; give a name in ASCII without wildcard or final dot.",
    "name.serial": "This is no serial number of a station, or it looks like a URL or an IP address; see its plate.",
    "profile.wrong": "A certificate profile asks for what does not fit its purpose; correct the file below policies/.",
    "revocation.reason": "This is no reason for revoking for good; to block a station for a while, disable it.",
    "settings.hsm": "What names the hardware token is no absolute path, label or slot; the error says which.",
    "settings.missing": "bollard.toml lacks a value that has to be there; the error names its table and key.",
    "settings.public_url": "The address in [web] public_url is no plain https address that stations could fetch from.",
    "settings.type": "A value in bollard.toml is of another kind than the key needs; the error names it.",
    "settings.unreadable": "bollard.toml cannot be read, or is not TOML; correct it or restore it from a backup.",
    # Passwords
    "password.characters": "The chosen password holds characters that OCPP does not allow in one.",
    "password.length": "The chosen password is too short or too long; as a warning: too long for OCPP 1.6.",
    "password.refused": "The chosen password breaks a rule; leave it out, and a good one is generated.",
    "password.verifier": "What a station's password is checked with is damaged; give the station a new password.",
    "password.wrong": "The password is not the station's; set the one that was last made for it again.",
    # Keys and algorithms, wherever they are met
    "alg.experimental": "The key is of a kind under trial (ML-DSA), which no station can verify yet; never rely on it.",
    "alg.unsupported": "A key or a signature is of a kind that is not known here; use ECDSA on P-256, or RSA.",
    "alg.weak": "A key or a signature is weaker than the standard allows; have a new one made with a stronger one.",
    # The audit log, its exports and proofs
    "audit.broken": "The audit log contradicts itself: an entry was changed or dropped; stop, and keep all files.",
    "audit.export": "The file is no export of an audit log, or not whole; give it as 'bollard audit export' wrote it.",
    "audit.export_part": "The export does not begin with the log's first entry, so this cannot be shown from it.",
    "audit.key": "This is no public key of an audit log; give the home's ca/audit.pub.pem.",
    "audit.proof": "This is no proof about an audit log; give it as 'bollard audit prove' wrote it.",
    "audit.range": "The audit log has no such entries or checkpoints; ask for those there are, within the limit.",
    # Certificates and requests as they are read
    "certificate.unreadable": "This is no certificate that can be read; give it in PEM, and nothing else beside it.",
    "crl.unreadable": "This is no revocation list that can be read; give it in PEM or DER.",
    "csr.common_name": "The request's common name is not the serial number that the station is registered with.",
    "csr.compromised": "The request's key was revoked as compromised, so others may hold it; a new key is due.",
    "csr.extensions": "The request asks for extensions; they are ignored, and the certificate follows our profile.",
    "csr.organisation": "The request names another organisation than ours; as a warning: none, and ours goes in.",
    "csr.proof": "The request is not signed with the key it carries, so nothing proves that the station holds it.",
    "csr.refused": "A station's request for a certificate was refused; its findings say why, and nothing was signed.",
    "csr.unreadable": "This is no certificate request that can be read; give one PKCS#10 request in PEM.",
    # A certificate while it is planned
    "plan.common_name": "The planned certificate would have an empty common name, or one of more than 64 characters.",
    "plan.days": "More days are asked for than the certificate profile allows; ask for fewer.",
    "plan.issuer": "The authority chosen may not issue this certificate, or not at this time.",
    "plan.outlives_issuer": "The certificate would outlive its issuer by much; renew the authority or ask for less.",
    "plan.padding": "The issuer is to sign with PSS, which is for RSA, but its key is of another kind.",
    "plan.purpose": "A root was asked for with a profile that is not one for roots.",
    "plan.refused": "No certificate can be planned as asked; the findings say why, and nothing was signed.",
    "plan.shortened": "The certificate would outlive its issuer by a little, so it ends when the issuer does.",
    # A certificate as it is examined, before the key comes near it
    "lint.alternative_name": "The certificate has an alternative name it must not have, or lacks the one it needs.",
    "issuer.state": "The authority cannot go from the state it is in to the one asked for.",
    "lint.authority_key": "The certificate does not say which key of its issuer signed it.",
    "lint.basic_constraints": "The certificate does not say, in a form nobody may ignore, whether it is an authority.",
    "lint.ca": "The certificate is an authority where none is due, or the other way round.",
    "lint.chain_length": "The certificate and its issuers together are longer than stations can take.",
    "lint.common_name": "The certificate's common name is not what it must be: a serial number, or the CSMS's host.",
    "lint.extended_key_usage": "The certificate names an extended use that does not fit; as a warning: one too many.",
    "lint.extensions": "The certificate's extensions cannot be read.",
    "lint.issuer": "The certificate names another issuer than the authority that is to sign it.",
    "lint.key_usage": "The certificate does not allow its key exactly the uses that its purpose needs.",
    "lint.length": "The certificate is longer than OCPP's field for it.",
    "lint.long_life": "A CSMS certificate lives longer than a day, so it has to be revoked if its key is ever lost.",
    "lint.organisation": "The certificate names several organisations; as a warning: it names none.",
    "lint.refused": "The planned certificate breaks a rule, so it was not signed; the findings name each rule.",
    "lint.serial": "The certificate's serial number is out of range, or too short to be unguessable.",
    "lint.short_life": "A station's certificate lives so briefly that the station would renew it all the time.",
    "lint.stray_extension": "The certificate has an extension that no rule of ours asks for.",
    "lint.subject_key": "The certificate does not identify its own key, or identifies it wrongly.",
    "lint.validity": "The certificate ends before it begins, or reaches outside the life of its issuer.",
    "lint.version": "The certificate is not of X.509 version 3, the only one in use.",
    # The signature itself
    "issue.bytes": "What was signed is not what was approved; nothing was handed out, and this should be reported.",
    "issue.key": "The key at hand is not the issuer's; check that the folder keys/ belongs to this home.",
    "issue.signature": "The new signature does not verify, so nothing was handed out; check the issuer's key.",
    "issue.spent": "One approval was used twice; each is good for one certificate, so plan it again.",
    # A path of certificates up to one that is trusted: of a station or CSMS (chain), of who signs firmware (signer)
    "chain.constraint": "An authority in the path may not vouch for a name that a certificate below it carries.",
    "chain.depth": "More authorities stand between the certificate and a trusted one than OCPP allows.",
    "chain.expired": "A certificate of the path is past its end; have it renewed.",
    "chain.is_ca": "An authority's own certificate was shown where a station's or a server's is due.",
    "chain.key_id": "A certificate names another key as its issuer's than the issuer does, or none where it must.",
    "chain.malformed": "A certificate is not written as RFC 5280 demands; as a warning: so it was left out.",
    "chain.name": "The certificate is not for the name asked about, or its common name says something else.",
    "chain.not_yet_valid": "A certificate of the path is not valid yet; check the clock of this host first.",
    "chain.path": "An authority in the path lacks the right to issue, or carries a limit that is not understood here.",
    "chain.policy": "An authority in the path demands a certificate policy, and none holds all the way.",
    "chain.purpose": "The certificate is not meant for this use.",
    "chain.refused": "No trust follows from the certificate; the findings say why.",
    "chain.revoked": "A certificate of the path was revoked.",
    "chain.second_opinion": "A second verifier refuses a path that ours accepts; trust follows only where both do.",
    "chain.status": "Revocation lists were given, and none of them clears a certificate of the path.",
    "chain.untrusted": "No path leads from the certificate to one that is trusted; 'bollard ca list' shows which are.",
    "signer.constraint": "The manufacturer's root may not vouch for a name that the signer's certificate carries.",
    "signer.depth": "An authority stands between the firmware's signer and the manufacturer's root; none may.",
    "signer.expired": "The certificate of the firmware's signer, or the root above it, is past its end.",
    "signer.is_ca": "The firmware was signed by an authority itself, not by a signer below it.",
    "signer.key_id": "The signer's certificate names another key as its issuer's than the root does, or names none.",
    "signer.malformed": "The signer's certificate, or the root's, is not written as RFC 5280 demands.",
    "signer.name": "The signer's certificate is not for the name asked about.",
    "signer.not_yet_valid": "The firmware signer's certificate is not valid yet; check the clock of this host first.",
    "signer.path": "The manufacturer's root lacks the right to issue, or a limit in the path is not understood here.",
    "signer.policy": "The manufacturer's root demands a certificate policy, and the signer's does not hold it.",
    "signer.purpose": "The signer's certificate is not meant for signing code; as a warning: it does not say.",
    "signer.revoked": "The certificate of the firmware's signer was revoked; use none of its images.",
    "signer.second_opinion": "A second verifier refuses the signer that ours accepts; trust follows where both do.",
    "signer.status": "Revocation lists were given, and none of them clears the signer.",
    "signer.untrusted": "Nobody trusted for this vendor's firmware issued the signer; see 'bollard ca trust add'.",
    # The audit log, as anybody can check it
    "audit.checkpoint": "A checkpoint is not one of this log, or not signed by it; compare with a copy kept elsewhere.",
    "audit.consistency": "The log does not begin with the log of an earlier day: history was changed; keep both.",
    "audit.inclusion": "The proof does not show the entry in the log; compare with a copy kept elsewhere.",
}
