"""What each kind of line means that the proxy's processes say on stderr; one sentence each, data alone.

Lines about an error go by its code (``secproxy.codes``), those that any process may say stand in ``pki.edge.log``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LINES: Final[Mapping[str, str]] = {
    "boot.unrecorded": "The authority could not be told what a station said of itself; its next boot tells it again.",
    "listener.unsafe": "A listener serves what weakens security; the text names the setting.",
    "lockouts.unreadable": "Who has to wait for wrong passwords cannot be read at the start; nobody has to.",
    "lockouts.unwritten": "Who has to wait for wrong passwords cannot be written down; a restart would forget it.",
    "process.cut": "A process that was to end cut off downloads that took too long; stations ask for the rest.",
    "process.ended": "A process ended by itself and is started again.",
    "process.files": "The system lets a worker open fewer files than 10,000 stations need; raise the limit.",
    "process.stuck": "A process did not end when it was asked to, and was killed.",
    "process.upgraded": "The version that is installed has taken over from the one that ran.",
    "process.unstartable": "A process cannot be started at the moment; it is tried again.",
    "process.unexpected": "A library met something it did not expect; told once a minute for each kind.",
    "recorder.failing": "Events cannot be moved into events.db; it is tried again, and they wait in the journal.",
    "settings.reloaded": "Changed settings are in force; the text names the tables.",
    "sink.failing": "A sink does not take its events; they are kept and sent again.",
    "sink.unreadable": "A recorded event cannot be read and was not sent; somebody edited it.",
    "station.unrecorded": "The authority could not be told what a station showed; it is told at the next occasion.",
    "tls.unsafe": "A listener takes TLS 1.0 and 1.1, which are broken, from the stations that it names.",
    "traces.failing": "The collector of traces does not take spans; they are sent again while there is room for them.",
    "worker.unfenced": "This kernel cannot fence workers in; one that is taken over could read what its user can.",
}
