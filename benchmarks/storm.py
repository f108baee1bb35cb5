"""Do live stations notice that ten thousand others come back at once?

A whole installation; some stations talk, all the others are cut off at one moment and come back at once, each again
until it is in. Printed and checked: none of the live ones is dropped, none of their calls is unanswered, all come back,
and the 99th percentile of the live ones' answers is at most four times what it was when it was quiet, in every part of
the storm (of ``--seconds`` each). The stations of the storm give way to whatever else runs here: their own work is done
elsewhere where they are real, so that no live station, and no worker, waits for it.

    python benchmarks/storm.py [--stations 10000] [--live 500] [--rate 500] [--workers 2]
"""

from __future__ import annotations

import argparse

from proxied import installation, verdict


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stations", type=int, default=10_000)
    parser.add_argument("--live", type=int, default=500)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with installation(given.stations + given.live, given.workers) as here:
        live, storm = here.crowd(0, given.live), here.crowd(given.live, given.stations, "--gives-way")
        live.does("connect", at_once=16)
        first = storm.does("connect", at_once=32)
        print(f"{first['open']} stations connected in {first['seconds']:.1f} s, one after the other")
        quiet = live.does("talk", rate=given.rate, seconds=given.seconds)
        storm.does("reset")
        before = here.cpu()
        storm.begin("connect", at_once=given.stations)
        loud = [live.does("talk", rate=given.rate, seconds=given.seconds)]
        while not storm.done:
            loud.append(live.does("talk", rate=given.rate, seconds=given.seconds))
        back = storm.result()
        spent = here.cpu() - before
        left = live.does("count")
    print(f"quiet: p50 {quiet['p50']:.2f} ms, p99 {quiet['p99']:.2f} ms of {quiet['count']} calls")
    for number, part in enumerate(loud, 1):
        print(f"storm, part {number}: p50 {part['p50']:.2f} ms, p99 {part['p99']:.2f} ms of {part['count']} calls")
    print(
        f"{back['open']} came back in {back['seconds']:.1f} s ({back['refused']} refusals), {spent:.1f} s of CPU time"
    )
    verdict(
        no_live_station_is_dropped=left["lost"] == 0 and left["connected"] == given.live,
        every_call_is_answered=not any(part["unanswered"] for part in loud),
        all_come_back=back["open"] == given.stations,
        p99_of_each_part_is_at_most_four_times_the_quiet_one=max(part["p99"] for part in loud) <= 4 * quiet["p99"],
    )


if __name__ == "__main__":
    main()
