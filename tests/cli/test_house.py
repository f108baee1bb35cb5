"""How the house stands is told in few words, and what is down is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import house
from secproxy.edge.claim_wire import Process, Seen

if TYPE_CHECKING:
    from cli.render import Plain

NOW = 1_800_000_000.0
PROCESSES = [
    Process("supervisor", 10, NOW - 3 * 86_400, 0),
    Process("worker 0", 11, NOW - 7_200, 2),
    Process("worker 1", 12, NOW - 180, 0),
    Process("web", 0, NOW, 1),
]
GAUGES: dict[str, float] = {
    "connections 3 ocpp1.6": 4,
    "connections 2 ocpp2.1": 3,
    "upstream_workers csms 0 down": 1,
    "upstream_workers csms 0 up": 1,
    "upstream_workers north 1 unknown": 2,
    "claims": 7,
}
SEEN = Seen(PROCESSES, [0], {}, GAUGES)


def test_what_is_down_is_a_process_that_does_not_run_or_a_worker_that_is_closed() -> None:
    """Each is named once."""
    assert house.down(SEEN) == ["web", "worker 1"]
    assert house.down(Seen(PROCESSES[:2], [0], {}, {})) == []


def test_people_read_ages_and_restarts_in_one_line() -> None:
    """And the stations, and what workers found of each CSMS."""
    told = house.lines(SEEN, NOW)

    assert told["processes"] == (
        "supervisor (10, 3 d), worker 0 (11, 2 h, 2 restarts), worker 1 (12, 3 min), web (down)"
    )
    assert (told["down"], told["stations connected"]) == ("web, worker 1", 7)
    assert (told["csms csms"], told["csms north"]) == ("0 down, 0 up", "1 unknown")
    assert house.lines(None, NOW) == {}


def test_many_workers_that_stand_alike_are_told_of_together() -> None:
    """Sixty-four fill no screen; whoever differs is named, and few are named each."""
    workers = [Process(f"worker {number}", 100 + number, NOW - 180, 0) for number in range(64)]
    workers[40] = Process("worker 40", 140, NOW - 60, 1)
    workers[62] = Process("worker 62", 0, NOW, 1)
    told = house.lines(Seen([PROCESSES[0], *workers], [], {}, {}), NOW)
    assert told["processes"] == (
        "supervisor (10, 3 d), workers 0 to 39 (3 min), worker 40 (140, 1 min, 1 restarts), "
        "workers 41 to 61 (3 min), worker 62 (down), worker 63 (163, 3 min)"
    )


def test_programs_read_rows() -> None:
    """A process that is down has no beginning; only workers have listeners."""
    rows = {row["name"]: row for row in house.rows(SEEN) if isinstance(row, dict)}

    assert (rows["web"]["pid"], rows["web"]["since"], rows["web"]["open"]) == (0, None, None)
    assert (rows["worker 0"]["open"], rows["worker 1"]["open"], rows["worker 0"]["restarts"]) == (True, False, 2)


def test_during_an_upgrade_both_generations_are_told_apart() -> None:
    """Those that leave are missed by nobody, and are not what is open."""
    leaving = Process("worker 0", 9, NOW - 7_200, 0, 1, leaving=True)
    serving = [Process("supervisor", 8, NOW, 0, 2), Process("worker 0", 10, NOW, 0, 2), leaving]
    seen = Seen([*serving, Process("worker 1", 0, NOW, 0, 1, leaving=True)], [0], {}, {})
    rows = [row for row in house.rows(seen) if isinstance(row, dict)]

    assert house.down(seen) == []
    assert [(row["generation"], row["leaving"], row["open"]) for row in rows[1:3]] == [
        (2, False, True),
        (1, True, False),
    ]
    assert "worker 0 (9, 2 h, generation 1 leaving)" in str(house.lines(seen, NOW)["processes"])


def test_a_line_about_traces_counts_spans_and_says_how_the_collector_is_doing() -> None:
    """Off in a word; else what went, and what is wrong where something is."""
    told: dict[str, Plain] = {"to": "http://c", "sent": 7, "dropped": 1, "taken": "then", "trouble": "", "since": ""}
    assert house.traces_line({"to": ""}) == "off"
    assert house.traces_line(told) == "http://c: 7 spans sent, 1 dropped, took some last at then"
    down: dict[str, Plain] = {**told, "trouble": "it is down", "since": "now"}
    assert house.traces_line(down) == "http://c: 7 spans sent, 1 dropped, down since now: it is down"
