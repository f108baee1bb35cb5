"""What each code of an error or a finding means that is not the cause of an event; one sentence each, data alone.

The causes of events have a table of their own, ``secproxy.causes``: they carry a clause and a severity besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CODES: Final[Mapping[str, str]] = {
    # Starting
    "claims.unreachable": "A worker cannot reach the supervisor, which knows who is connected; start 'bollard up'.",
    "config.fixed": "This part of bollard.toml is taken in by a new start alone; stop 'bollard up' and start it again.",
    "reload.authority": "The authority could not start with the changed settings; the error has its own words.",
    "reload.silent": "A worker did not take new settings in time; those before stay in force. Look at the host's load.",
    "reload.unreachable": "Nothing is running that could take new settings; 'bollard up' reads them when it starts.",
    # Recording what is said
    "recording.absent": "The station is connected to no worker of this home, so there is nothing to record.",
    "recording.file": "The file of a recording could not be made; see that HOME/recordings can be written.",
    "recording.many": "As many stations are recorded as a worker records at a time; stop one of them.",
    "recording.none": "The station is not recorded, so there is nothing to stop.",
    "recording.running": "The station is recorded already; stop that recording, or wait for its end.",
    "recording.unreachable": "Nothing is running that could record; start 'bollard up'.",
    "recording.wrong": "The file is no recording, or a line of it was changed; the error names the line.",
    "supervisor.silent": "The supervisor is there and does not answer; restart 'bollard up' if it hangs.",
    "supervisor.unreachable": "No supervisor runs for this home; start 'bollard up'.",
    "up.address": "An address to listen on is in use or not one of this host; stop what uses it, or choose another.",
    "up.running": "This home is up already; stop the other 'bollard up' first.",
    "up.upstream": "Nobody said where the CSMS is; give --upstream, or set upstream in bollard.toml.",
    "upgrade.ended": "What is up was about to end when the new version was to take over; nothing is to be done.",
    "upgrade.failed": "A worker of the new version ended or hung before it served; the running version goes on.",
    "upgrade.form": "The installed version cannot read what the running one hands on; stop 'bollard up' and start it.",
    "upgrade.refused": "The installed version cannot take over, and the error says why; the running one goes on.",
    "upgrade.running": "An upgrade is under way already; wait for its end.",
    "upgrade.unreachable": "Nothing is running that could be upgraded; 'bollard up' starts the installed version.",
    "upstream.file": "A certificate or key that a CSMS is reached with cannot be used; correct that [[upstream]].",
    "web.address": "The address for downloads is in use or not one of this host; change [web].address or free it.",
    "worker.fence": "The kernel has Landlock and refuses to fence a worker in; another sandbox may forbid the calls.",
    # Writing events down and finding them again
    "event.severity": "This is no severity of an event; the error lists those there are.",
    "events.unreadable": "The database of security events cannot be read; check the disk and who may read the home.",
    "journal.full": "A security event could not be written to disk; free space, and see that 'bollard web' runs.",
    # Sending events on
    "sink.answer": "A collector of events did not take them; they are kept and sent again. Look into its own log.",
    "sink.file": "A file that an [[event_sink]] or [traces] in bollard.toml names cannot be used; the error says why.",
    # Policies
    "policy.key": "A key of a policy is not known, or is missing; the finding names the line and what belongs there.",
    "policy.value": "A value in a policy cannot be used; the finding names the line, the key and what to write.",
    "policy.wrong": "A policy file cannot be used; each mistake stands in the findings, with its line.",
    # What a station or a CSMS sent
    "field.range": "The update's retries or the wait between them are out of range; correct the request in the CSMS.",
    "field.shape": "The update's fields are missing or of the wrong kind; correct the request in the CSMS.",
    "http.target": "The URL that a station dialled does not end in one plain identity; correct it in the station.",
    "location.credentials": "The update's location holds a user name or password, which stations would log.",
    "publish.md5": "An MD5 is all that vouches for firmware published this way; update each station by itself.",
    "unsigned.downgrade": "The CSMS used the update request that has no place for a signature; use the signed one.",
}
