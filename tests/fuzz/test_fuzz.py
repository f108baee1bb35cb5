"""Runs the fuzzers for a while, where atheris is installed: ``pytest -m deep tests/fuzz``; longer by hand."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pki.errors import RefusedError
from tests.fuzz import fuzz_envelope, fuzz_est, fuzz_frames, fuzz_head, fuzz_request, fuzz_target, seeds, wire_seeds

ROOT = Path(__file__).resolve().parents[2]
WIRE = {
    "fuzz_frames": (fuzz_frames.try_one, wire_seeds.streams),
    "fuzz_head": (fuzz_head.try_one, wire_seeds.heads),
    "fuzz_envelope": (fuzz_envelope.try_one, wire_seeds.messages),
    "fuzz_target": (fuzz_target.try_one, wire_seeds.targets),
}
SECONDS = os.environ.get("FUZZ_SECONDS", "120")


@pytest.mark.deep
@pytest.mark.parametrize("name", ["fuzz_request", "fuzz_est", *WIRE])
def test_no_bytes_are_found_that_break_a_promise(name: str, tmp_path: Path) -> None:
    """From the seeds on, as far as the time allows."""
    pytest.importorskip("atheris", reason="pip install -e '.[fuzz]'")
    command = [sys.executable, "-W", "ignore", "-m", f"tests.fuzz.{name}", str(tmp_path / "corpus")]
    limits = [f"-max_total_time={SECONDS}", "-max_len=6000", f"-artifact_prefix={tmp_path}/"]
    ran = subprocess.run([*command, *limits], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr[-2000:]


def test_the_seeds_themselves_keep_every_promise(tmp_path: Path) -> None:
    """Also where there is no fuzzer: each is tried once, and enough of them are good for something."""
    written = seeds.write(tmp_path / "corpus", (*seeds.requests(), *seeds.parts(), *seeds.bags()))
    for seed in sorted(written.iterdir()):
        fuzz_request.try_one(seed.read_bytes())
        fuzz_est.try_one(seed.read_bytes())
    good = 0
    for bag in seeds.bags():
        with contextlib.suppress(RefusedError):
            fuzz_est.judge(bag)
            good += 1

    assert good >= 3


@pytest.mark.parametrize("name", WIRE)
def test_what_the_fuzzers_of_the_wire_begin_with_keeps_every_promise(name: str) -> None:
    """The seeds, and what earlier runs found worth keeping: each is held against the second reading once."""
    try_one, first = WIRE[name]
    for seed in (*first(), *wire_seeds.kept(name)):
        try_one(seed)
