"""Does a connection, or a message, cost more when there are more connections?

For each number of stations a whole installation of its own: how much CPU time of the workers a TLS handshake with the
upgrade takes, how much memory a connection holds once it is idle, and how much CPU time a call with its answer takes
when all talk in turn. Checked: at the greatest number, memory and a call cost at most half as much again as at the one
before.

    python benchmarks/scale.py [--stations 100 1000 10000] [--workers 2]
"""

from __future__ import annotations

import argparse
import time

from proxied import installation, verdict


def measure(stations: int, workers: int, rate: float) -> tuple[float, float, float]:
    """One size: microseconds a handshake, KiB a connection, microseconds a call."""
    with installation(stations + 50, workers) as here:
        first = here.crowd(stations, 50)
        first.does("connect", at_once=8)  # what is made once is made now
        first.does("talk", rate=50, seconds=1)
        crowd, kib, cpu = here.crowd(0, stations), here.kib(), here.cpu()
        assert crowd.does("connect", at_once=32)["open"] == stations
        handshake = (here.cpu() - cpu) / stations * 1e6
        time.sleep(2)  # what belonged to the handshakes alone is given back
        held = (here.kib() - kib) / stations
        cpu = here.cpu()
        said = crowd.does("talk", rate=rate, seconds=10)
        call = (here.cpu() - cpu) / said["count"] * 1e6
        assert said["unanswered"] == 0
    return handshake, held, call


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stations", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    figures = []
    print(f"{'stations':>9} {'us a handshake':>15} {'KiB a connection':>17} {'us a call':>10}")
    for stations in given.stations:
        figures.append(measure(stations, given.workers, given.rate))
        print(f"{stations:>9} {figures[-1][0]:>15.0f} {figures[-1][1]:>17.1f} {figures[-1][2]:>10.0f}", flush=True)
    last, before = figures[-1], figures[max(0, len(figures) - 2)]
    verdict(
        a_connection_holds_no_more_memory=last[1] <= 1.5 * before[1],
        a_call_takes_no_more_time=last[2] <= 1.5 * before[2],
    )


if __name__ == "__main__":
    main()
