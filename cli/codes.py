"""What each code means that the command line itself raises; one sentence each, data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CODES: Final[Mapping[str, str]] = {
    # How a command was written
    "explain.unknown": "Nothing goes by this code; give a clause, a cause or a code exactly as it was printed.",
    "usage": "The command was not written as it takes its words; add --help to it to see how.",
    "usage.listen": "This is no address to listen on; write ADDRESS:PORT=PROFILE, for example 0.0.0.0:8443=3.",
    "usage.time": "This is no time; write it like 2026-11-22T12:00:00Z, or a date alone.",
    "usage.moment": "This is no moment; write it like 2026-01-31T09:00:00Z.",
    "usage.witness": "This is no witness; write 'NAME, ROLE' when planning, NAME=DIGITS when performing.",
    "usage.span": "This is no length of time; write it like 90s, 15m, 1h, 30d or 4w.",
    # Files
    "file.empty": "The file has nothing in it; name the right one, or leave the option out.",
    "file.exists": "A file of this name exists; choose another path, or add --yes to replace it.",
    "file.forbidden": "This user may not read or write the file; run the command as the one who may.",
    "file.kind": "There is something of that name, but no file: a folder, a pipe, a device; the error says which.",
    "file.missing": "There is no such file; check the path.",
    "file.not_text": "The file holds no plain text; certificates and requests are due in PEM.",
    "file.silent": "A pipe was named, and whoever should have filled it did not in time.",
    "file.too_large": "The file is larger than anything that could be meant here; check that it is the right one.",
    "folder.exists": "A folder of this name exists; name a new one.",
    "stations.row": "A line of the station list cannot be used; the finding names the line and what is wrong.",
    "stations.unreadable": "The station list cannot be used as it is; nothing of it was added.",
    # What was asked for
    "policy.not_judged": "Nothing would newly be refused, but some calls cannot be judged; the summary says why.",
    "policy.would_refuse": "The policy would refuse calls that were let through when the recording was made.",
    "policy.refused": "The policy forbids this message; what was printed names rule and clause.",
    "issue.unwritten": "A certificate was issued and could not be written out; it is valid, and can be fetched again.",
    "ca.unknown": "The home has no CA of this name; 'bollard ca list' shows them all.",
    "reissue.partial": "Some certificates were re-issued, others refused; the file holds those that were.",
    "lint.found": "The file holds a certificate or request with errors; each stands in what was printed.",
    "revoke.partial": "Some of several certificates were revoked, then one failed; the error names it.",
    "crl.partly": "Some issuers' lists of revoked certificates were not signed or written; the error names them.",
    "rotate.left": "All that Bollard could renew alone is renewed; what the table still lists waits for a person.",
    # Nobody's fault but ours, or the system's
    "internal": "A fault in Bollard itself; run the command again with BOLLARD_DEBUG=1 and report what it prints.",
    "system": "The operating system refused what was asked of it; its own words are in the error.",
    # The demo, where something went otherwise than it should
    "demo.altered": "A message came out of the proxy with other bytes than went in.",
    "demo.answer": "A station did not answer what the CSMS asked.",
    "demo.command": "A command of the story failed; what it printed follows.",
    "demo.connection": "The CSMS saw another connection than the station made.",
    "demo.delivered": "An unsigned update reached a station.",
    "demo.events": "An attempt left other security events than it should.",
    "demo.finding": "An image with a wrong byte was refused, but not for its signature.",
    "demo.gone": "A process of the story ended before its part.",
    "demo.image": "A station installed other bytes than were imported.",
    "demo.let_in": "An attacker was let in.",
    "demo.location": "A station was sent elsewhere for its image than to Bollard.",
    "demo.silent": "A process of the story did not say in time what was waited for; a slow host can be why.",
    "demo.slow": "A session lasted too long after its certificate was revoked; a slow host can be why.",
    "demo.stop": "'bollard up' did not end cleanly when it was told to.",
    "demo.update": "A station did not take an update that was signed as it should be.",
}
