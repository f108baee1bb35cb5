"""What do ten thousand idle connections cost those that talk?

A whole installation; a hundred stations make a thousand calls a second in all, first alone, then with all the others
connected and silent. Printed and checked: every call is answered, nobody is dropped, and the 99th percentile with the
crowd is less than five milliseconds above what it was without.

    python benchmarks/idle.py [--stations 10000] [--talking 100] [--rate 1000] [--workers 2]
"""

from __future__ import annotations

import argparse

from proxied import installation, verdict


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stations", type=int, default=10_000)
    parser.add_argument("--talking", type=int, default=100)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with installation(given.stations + given.talking, given.workers) as here:
        talking, idle = here.crowd(0, given.talking), here.crowd(given.talking, given.stations)
        talking.does("connect", at_once=16)
        alone = talking.does("talk", rate=given.rate, seconds=given.seconds)
        crowd = idle.does("connect", at_once=32)
        before = here.cpu()
        among = talking.does("talk", rate=given.rate, seconds=given.seconds)
        spent = (here.cpu() - before) / among["count"] * 1e6
        left, still = talking.does("count"), idle.does("count")
    print(f"{crowd['open']} stations connected in {crowd['seconds']:.1f} s and stayed silent")
    for when, said in (("alone", alone), ("among", among)):
        print(f"{when}: p50 {said['p50']:.2f} ms, p99 {said['p99']:.2f} ms of {said['count']}, {said['skipped']} late")
    print(f"{spent:.0f} us of the workers' CPU time for a call and its answer")
    verdict(
        nobody_is_dropped=left["lost"] == still["lost"] == 0 and still["connected"] == given.stations,
        every_call_is_answered=among["unanswered"] == 0,
        p99_is_less_than_5_ms_above_that_without_them=among["p99"] - alone["p99"] < 5,
    )


if __name__ == "__main__":
    main()
