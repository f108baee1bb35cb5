"""Every cause of a security event: what it means, how soon a person should look, and what to do next.

The types are the standard's event names where it has one (OCPP 2.0.1 appendix 1), else names that start with
``bollard.``. Nothing is explained anywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secproxy.firmware_causes import FIRMWARE_CAUSES
from secproxy.kinds import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

_CERTIFICATE: Final = "InvalidChargingStationCertificate"
_LOGIN: Final = "FailedToAuthenticateAtCsms"
_MESSAGES: Final = "InvalidMessages"
_CRITICAL, _HIGH, _MEDIUM, _LOW, _INFO = Severity  # one word each keeps the table below readable

_CERTIFICATES: Final[Mapping[str, Kind]] = {
    "cert.missing": Kind(
        _CERTIFICATE,
        _HIGH,
        "A00.FR.401",
        "The station came to a profile 3 listener without a certificate.",
        "Install the station's certificate, or let it dial the listener of its own security profile.",
    ),
    "cert.unknown_ca": Kind(
        _CERTIFICATE,
        _HIGH,
        "A00.FR.403",
        "The station's certificate was issued by a CA that is not trusted here.",
        "Issue one with 'bollard cert issue', or trust its maker's CA with 'bollard ca trust add --purpose station'.",
    ),
    "cert.expired": Kind(
        _CERTIFICATE,
        _HIGH,
        "A00.FR.407",
        "The station's certificate is past its end.",
        "Issue a new one with 'bollard cert issue', or let it renew with 'bollard station set --expired-until'.",
    ),
    "cert.expired_pending": Kind(
        _CERTIFICATE,
        _MEDIUM,
        "A00.FR.429",
        "A station whose certificate has ended was let in to renew it: Pending, without a CSMS, as its record allows.",
        "Nothing is to be done when 'cert.renewed' follows; 'bollard station set --expired-until' says until when.",
    ),
    "cert.renewed": Kind(
        "bollard.CertificateRenewed",
        _INFO,
        "A00.FR.429",
        "A station whose certificate had ended has taken a new one; its connection was ended so that it comes with it.",
        "Nothing is to be done.",
    ),
    "cert.not_renewed": Kind(
        "bollard.CertificateNotRenewed",
        _HIGH,
        "A02.FR.06",
        "A station whose certificate has ended got no new one, or did not take it; the evidence says why.",
        "Look the cause up with 'bollard explain', or issue one with 'bollard cert issue' and install it by hand.",
    ),
    "cert.not_yet_valid": Kind(
        _CERTIFICATE,
        _HIGH,
        "A00.FR.407",
        "The station's certificate is not valid yet.",
        "Check the clock of this host; when it is right, ask whoever issued the certificate.",
    ),
    "cert.revoked": Kind(
        _CERTIFICATE,
        _CRITICAL,
        "A00.FR.705",
        "The station's certificate was revoked.",
        "If the station is yours and intact, issue a new certificate; else find out who holds the old key.",
    ),
    "cert.held": Kind(
        _CERTIFICATE,
        _HIGH,
        "A00.FR.705",
        "The station's certificate is on hold.",
        "Find out why it was put on hold; 'bollard cert release' lifts it, 'bollard cert revoke' makes it final.",
    ),
    "est.refused": Kind(
        "bollard.EnrolmentRefused",
        _MEDIUM,
        "A00.FR.801",
        "Somebody asked for a certificate over EST and was refused; the evidence has the code.",
        "If the station is yours, make it a new token with 'bollard station token'; else look at the remote address.",
    ),
    "cert.other_station": Kind(
        "bollard.IdentityMismatch",
        _CRITICAL,
        "A00.FR.405",
        "The certificate of one station was used under the name of another.",
        "Check both stations on site; when a key was copied, revoke that certificate with 'bollard cert revoke'.",
    ),
    "cert.invalid": Kind(
        _CERTIFICATE,
        _HIGH,
        "A00.FR.407",
        "The station's certificate does not meet the rules for station certificates, or the ledger does not know it.",
        "Compare the evidence with 'bollard cert list --station' and issue a new certificate where they differ.",
    ),
    "cert.serial": Kind(
        "bollard.IdentityMismatch",
        _CRITICAL,
        "B01.FR.11",
        "The serial number in the station's BootNotification is not the one in its certificate.",
        "Check on site whether the controller was swapped, and revoke the certificate if it was or if nobody knows.",
    ),
}

_LOGINS: Final[Mapping[str, Kind]] = {
    "auth.missing": Kind(
        _LOGIN,
        _MEDIUM,
        "A00.FR.202",
        "The station sent no readable user name and password.",
        "Set the password in the station; 'bollard station password' makes a new one.",
    ),
    "auth.wrong_password": Kind(
        _LOGIN,
        _HIGH,
        "A00.FR.204",
        "The station sent a wrong password.",
        "Set the password again in the station; when it is right there, set the station's password form.",
    ),
    "auth.other_station": Kind(
        "bollard.IdentityMismatch",
        _HIGH,
        "A00.FR.207",
        "The user name is not the identity in the URL.",
        "Set the user name in the station to its identity, the last part of the URL it dials.",
    ),
    "auth.locked": Kind(
        _LOGIN,
        _HIGH,
        "A00.FR.204",
        "Too many wrong passwords came from one network; it has to wait, for this station or for all.",
        "Look at 'remote': a station of yours has a wrong password, or somebody guesses. The wait ends by itself.",
    ),
    "auth.busy": Kind(
        "bollard.Busy",
        _MEDIUM,
        "",
        "Too many passwords waited to be checked; the station was told to come back later.",
        "After an outage this settles by itself; generated passwords are checked faster than chosen ones.",
    ),
    "station.unknown": Kind(
        _LOGIN,
        _MEDIUM,
        "A00.FR.204",
        "No station of this name is registered.",
        "Register it with 'bollard station add', or correct the identity in the station.",
    ),
    "station.quarantined": Kind(
        "bollard.StationQuarantined",
        _MEDIUM,
        "B02.FR.01",
        "A station that nobody registered waits in quarantine: it is told Pending, and no CSMS hears of it.",
        "Compare what it says with the type plate; the command in 'admit' registers it. It comes back by itself.",
    ),
    "station.observed": Kind(
        "bollard.StationObserved",
        _CRITICAL,
        "A00.FR.407",
        "A station that nobody registered was let through to the CSMS, because its listener says unsafe_observe.",
        "Register it with 'bollard station add', and set unknown = \"refuse\" again once all stations are known.",
    ),
    "station.disabled": Kind(
        _LOGIN,
        _MEDIUM,
        "A00.FR.407",
        "The station is disabled.",
        "Enable it with 'bollard station enable' when it may connect again.",
    ),
    "profile.too_low": Kind(
        "bollard.SecurityProfileDowngrade",
        _CRITICAL,
        "A05.FR.09",
        "The station came to a listener of a lower security profile than it is registered with.",
        "Somebody may be posing as it; if it is meant to, 'bollard station set --profile 2 --allow-downgrade' lets it.",
    ),
}

_TRANSPORT: Final[Mapping[str, Kind]] = {
    "tls.version": Kind(
        "InvalidTLSVersion",
        _HIGH,
        "A00.FR.314",
        "The peer offered no TLS version that this listener takes: 1.2 and above; with unsafe_legacy_tls 1.0 and 1.1.",
        "Update the station's firmware, or send it to the listener that is for it.",
    ),
    "tls.cipher": Kind(
        "InvalidTLSCipherSuite",
        _HIGH,
        "A00.FR.318",
        "The peer offered none of the cipher suites that OCPP names for the TLS versions of this listener.",
        "Update the station's firmware or its cipher settings.",
    ),
    "tls.legacy": Kind(
        "bollard.LegacyTls",
        _HIGH,
        "A00.FR.313",
        "A listener takes TLS 1.0 and 1.1, which are broken, from the stations that the evidence names.",
        "Update the firmware of these stations; then remove the [[listener]] with unsafe_legacy_tls.",
    ),
    "tls.not_legacy": Kind(
        "bollard.LegacyTls",
        _HIGH,
        "A00.FR.314",
        "A station came over TLS 1.0 or 1.1 and is not among those that may.",
        "Let it dial the listener for its security profile; find out who made it use old TLS.",
    ),
    "tls.downgrade": Kind(
        "bollard.TlsDowngrade",
        _HIGH,
        "A00.FR.313",
        "The station came with less TLS than it has booted over before, and refuse_tls_downgrade is set.",
        "Find out what stands between; if it went back on purpose: bollard station set IDENTITY --forget-tls.",
    ),
    "tls.failed": Kind(
        "bollard.HandshakeFailed",
        _LOW,
        "A00.FR.317",
        "The TLS handshake failed.",
        "If it is a station, check that it trusts our root certificate and dials the right port.",
    ),
    "tls.missing": Kind(
        "bollard.HandshakeFailed",
        _MEDIUM,
        "A00.FR.312",
        "The peer spoke HTTP without TLS to a listener that takes TLS alone.",
        "Let the station dial wss://; a password that it sent so could be read by others: 'bollard station password' "
        "makes a new one.",
    ),
    "tls.unexpected": Kind(
        "bollard.HandshakeFailed",
        _LOW,
        "A00.FR.201",
        "The peer spoke TLS to a listener without TLS, which is for security profile 1.",
        "Let the station dial the port of the [[listener]] that has its own security profile, 2 or 3.",
    ),
    "http.bad_request": Kind(
        "bollard.InvalidUpgrade",
        _LOW,
        "RFC 6455 4.2.1",
        "The request is no proper WebSocket upgrade to a station's URL.",
        "Correct the URL in the station: it ends in /IDENTITY and has no query.",
    ),
    "door.crowded": Kind(
        "bollard.Crowded",
        _HIGH,
        "",
        "One network address holds as many unfinished connections as it may; more of them are shown the door.",
        "If it is a site of yours, its stations get in one after the other; else block the address in your firewall.",
    ),
    "subprotocol.none": Kind(
        "bollard.SubprotocolRefused",
        _MEDIUM,
        "OCPP-J 3.1.2",
        "The station offers no OCPP version that is spoken here.",
        "Set the station to OCPP 1.6, 2.0.1 or 2.1 over JSON; for one that names no version at all its listener has "
        "no_subprotocol.",
    ),
    "frame.violation": Kind(
        "bollard.ProtocolViolation",
        _MEDIUM,
        "RFC 6455 5",
        "The peer broke the rules of WebSocket framing or its limits, and the connection was closed.",
        "Update the station's firmware; when it is the CSMS, tell its maker. The evidence names the rule. Compression "
        "that was not agreed on can be switched off in the station; [[listener]] compression is for those that ask.",
    ),
    "frame.bomb": Kind(
        "bollard.CompressionBomb",
        _HIGH,
        "RFC 7692 8",
        "A compressed message would have become far larger than it came, and the connection was closed.",
        "No station writes such messages by mistake: find out what speaks under its name.",
    ),
    "upstream.unreachable": Kind(
        "bollard.UpstreamUnreachable",
        _HIGH,
        "",
        "The CSMS cannot be reached or refuses the station, so the station is turned away.",
        "Check that the CSMS runs, that csms.upstream or [[upstream]] names it, and that it knows the station.",
    ),
    "upstream.none": Kind(
        "bollard.UpstreamUnreachable",
        _HIGH,
        "",
        "No CSMS takes this station, by its group or by the path it dials, so it is turned away.",
        "Name its group in an [[upstream]], or let one of them take the rest: the one with neither groups nor path.",
    ),
    "upstream.down": Kind(
        "bollard.UpstreamDown",
        _HIGH,
        "",
        "A URL of a CSMS can no longer be reached; stations are sent to its other URLs, or turned away.",
        "Check the CSMS, the network to it, and its certificate; the evidence names the URL and what failed.",
    ),
    "upstream.up": Kind(
        "bollard.UpstreamUp",
        _INFO,
        "",
        "A URL of a CSMS can be reached again.",
        "Nothing is to be done; the evidence says how long it was away.",
    ),
    "listener.unsafe": Kind(
        "bollard.ListenerUnsafe",
        _CRITICAL,
        "A00.FR.201",
        "The proxy has started with a listener that weakens security; the evidence names it and the setting.",
        "Nothing is to be done while it is meant; 'bollard doctor' says so too, until the setting is gone.",
    ),
    "proxy.refused": Kind(
        "bollard.ProxyHeaderRefused",
        _MEDIUM,
        "",
        "Somebody connected to a listener for load balancers who is none, or without a proper PROXY protocol header.",
        "If it is your load balancer, name its network in proxy_protocol and have it send version 2.",
    ),
}

_SESSIONS: Final[Mapping[str, Kind]] = {
    "session.opened": Kind(
        "bollard.SessionOpened",
        _INFO,
        "",
        "The station is connected; the evidence says with which TLS version, cipher suite and group.",
        "Nothing is to be done; compare a station's with one another to find one that comes with less than before.",
    ),
    "session.duplicate": Kind(
        "bollard.DuplicateSession",
        _HIGH,
        "A00.FR.427",
        "A second connection under the name of a connected station was refused.",
        "Check whether two devices carry the same identity or certificate.",
    ),
    "session.replaced": Kind(
        "bollard.SessionReplaced",
        _LOW,
        "",
        "The station came back while its old connection was dead; the old one was dropped.",
        "When this happens often, check the station's network.",
    ),
    "recording.started": Kind(
        "bollard.RecordingStarted",
        _LOW,
        "",
        "What this station and its CSMS say is written to a file on request, without secrets, for a while.",
        "Nothing, if you asked for it; else find out who may run commands in this home.",
    ),
    "recording.ended": Kind(
        "bollard.RecordingEnded",
        _INFO,
        "",
        "A recording is complete; the evidence names its file, counts its messages and says why it ended.",
        "Delete the file once it has served: it says when and where people charged.",
    ),
    "session.flapping": Kind(
        "bollard.SessionFlapping",
        _HIGH,
        "A00.FR.427",
        "A station's connection was replaced again and again; whoever is connected stays now, others are turned away.",
        "Two devices may carry one certificate or password, or the line is bad: compare 'remote' of the events before.",
    ),
    "session.slow_reader": Kind(
        "bollard.SlowReader",
        _MEDIUM,
        "",
        "One side did not read what waited for it in time, and the connection was closed.",
        "When it is a station, check its network; when it is the CSMS, its load. The evidence says which.",
    ),
    "session.revoked": Kind(
        "bollard.SessionRevoked",
        _HIGH,
        "A00.FR.705",
        "A live connection was closed because the station may no longer connect this way.",
        "The evidence names the reason; nothing is to be done when the change was meant.",
    ),
    "worker.outgrown": Kind(
        "bollard.WorkerReplaced",
        _HIGH,
        "",
        "A proxy worker had more memory than proxy.worker_mib allows; it let its stations go and was replaced.",
        "If it comes again, more workers or a higher bound are needed, or it is a leak: send its maker the evidence.",
    ),
    "message.malformed": Kind(
        _MESSAGES,
        _MEDIUM,
        "OCPP-J 4.1",
        "A message is no OCPP message, or two readers could read it differently; it was not passed on.",
        "Update the sender's firmware or software; the evidence names the fault.",
    ),
    "message.unasked": Kind(
        _MESSAGES,
        _MEDIUM,
        "OCPP-J 4.1.4",
        "A message answers a call that nobody made, or that was answered before; it was not passed on.",
        "Once is a late answer; often means a faulty sender, or somebody who guesses: update its firmware or software.",
    ),
    "message.id_reused": Kind(
        _MESSAGES,
        _MEDIUM,
        "OCPP-J 4.1.4",
        "A call carries the id of another call that waits for its answer; it was answered with an error.",
        "Update the sender's firmware or software: every call needs an id of its own.",
    ),
    "message.schema": Kind(
        _MESSAGES,
        _LOW,
        "OCPP-J 4.2",
        "A message does not fit the schema of its action, or its action is none of this version; it was passed on.",
        "Tell the sender's maker; the evidence names the place. It is told once for each place of a connection.",
    ),
    "message.schema_refused": Kind(
        _MESSAGES,
        _MEDIUM,
        "OCPP-J 4.2",
        "A message that must fit the schema of its action does not; whoever waits for it was told with an error.",
        "Update the sender's firmware or software; the evidence names the place. See [messages] in bollard.toml.",
    ),
    "message.said_anew": Kind(
        _MESSAGES,
        _LOW,
        "RFC 8259 4",
        "A message held a key twice with the same value; it was said anew with the key once.",
        "Tell the sender's maker. It is told once for each side of a connection; see ambiguous in [messages].",
    ),
    "message.flood": Kind(
        _MESSAGES,
        _HIGH,
        "OCPP-J 4.1",
        "One connection brought more messages that must be written down or judged than allowed; it was closed.",
        "The events before it name the fault; when it is a station, update its firmware or take it off the network.",
    ),
    "message.rate": Kind(
        _MESSAGES,
        _HIGH,
        "OCPP-J 4.1",
        "One side said far more messages than anybody who waits for answers, was read ever more slowly, and went on;"
        " the connection was closed.",
        "The evidence names the side: when it is a station, update its firmware or take it off the network.",
    ),
    "policy.refused": Kind(
        "bollard.PolicyRefused",
        _HIGH,
        "",
        "The policy forbids a message; it was answered in the other side's place and not passed on.",
        "The evidence names rule and clause; when the message was meant, change the policy: 'bollard policy show'.",
    ),
    "policy.observed": Kind(
        "bollard.PolicyObserved",
        _MEDIUM,
        "",
        "A rule of the policy that only observes objects to a message; it was passed on.",
        "Look whether it was meant; a rule that objects to nothing right can be set to enforce.",
    ),
    "policy.mass_command": Kind(
        "bollard.MassCommand",
        _CRITICAL,
        "attack 36",
        "The CSMS gives one kind of command faster, over all stations, than the policy expects.",
        "Ask who is behind it: an operator's campaign, or somebody who wants to move load. The evidence has the rule.",
    ),
    "transaction.foreign": Kind(
        _MESSAGES,
        _CRITICAL,
        "OCPP-J 4.3",
        "A station spoke of a transaction that another station began; where ids are said to be unique it was refused.",
        "Find out who holds the station's key. When the CSMS numbers transactions for each station alone, leave"
        " csms.transaction_ids as it is by default.",
    ),
    "transaction.repeated": Kind(
        _MESSAGES,
        _MEDIUM,
        "OCPP-J 4.1.4",
        "A message about a transaction came again in a new session though the CSMS had answered it; it was passed on.",
        "Once is a lost answer; often, or changed, means a fault or a recording: look at what the CSMS booked.",
    ),
    "transaction.shared_id": Kind(
        "bollard.TransactionIds",
        _LOW,
        "OCPP 1.6 6.46",
        "The CSMS gave one transaction id to two stations; whose is whose can no longer be told by it.",
        "Take csms.transaction_ids out of bollard.toml; nothing else is wrong.",
    ),
    "station.event": Kind(
        "bollard.StationEvent",
        _MEDIUM,
        "A04.FR.01",
        "The station reported a security event that the standard does not name.",
        "Look the event's type up in the station's manual; the evidence holds what the station says.",
    ),
    "station.secret_told": Kind(
        "bollard.SecretTold",
        _HIGH,
        "attack 34",
        "A station told the password that it connects with, which OCPP lets be written and never read.",
        "Change it with 'bollard station password'; find out who read it, and have the maker correct the firmware.",
    ),
    "journal.lost": Kind(
        "bollard.JournalLost",
        _CRITICAL,
        "",
        "Security events could not be written and are lost; the evidence counts them.",
        "Free space on the disk that holds the journal.",
    ),
    "journal.damaged": Kind(
        "bollard.JournalDamaged",
        _HIGH,
        "",
        "A journal file holds a line that cannot be read.",
        "One cut line after a crash is harmless; anything else means that somebody edited the file.",
    ),
    "config.reloaded": Kind(
        "bollard.SettingsReloaded",
        _INFO,
        "",
        "Changed settings are in force; the evidence names the tables of bollard.toml that changed.",
        "Nothing, if the change was yours; else find out who may write bollard.toml.",
    ),
    "config.refused": Kind(
        "bollard.SettingsRefused",
        _MEDIUM,
        "",
        "bollard.toml was changed and cannot be used as it is; the settings before it stay in force.",
        "Correct what the evidence names; 'bollard reload' says at once whether it is right now.",
    ),
    "upgrade.done": Kind(
        "bollard.Upgraded",
        _INFO,
        "",
        "The version that is installed has taken over from the one that ran; stations were let go in turn.",
        "Nothing, if the upgrade was yours; else find out who may install software here.",
    ),
    "upgrade.refused": Kind(
        "bollard.UpgradeRefused",
        _MEDIUM,
        "",
        "The version that is installed could not take over; the one that ran goes on.",
        "Correct what the evidence says; 'bollard --dry-run upgrade' says at once whether it is right now.",
    ),
    "export.lost": Kind(
        "bollard.ExportLost",
        _HIGH,
        "",
        "Old events made room for new ones before a sink had taken them; the evidence counts them.",
        "Bring the sink back, or have [events] in bollard.toml keep more.",
    ),
    "alert.threshold": Kind(
        "bollard.AlertThreshold",
        _HIGH,
        "",
        "Events of one kind came as often as an alert rule allows; the evidence names the rule and counts them.",
        "Look at them with 'bollard event list'; the rule is quiet now until its window is over.",
    ),
}

CAUSES: Final[Mapping[str, Kind]] = {**_CERTIFICATES, **_LOGINS, **_TRANSPORT, **_SESSIONS, **FIRMWARE_CAUSES}
"""Every cause there is. Scripts and alerts may depend on the keys: none is ever renamed."""
