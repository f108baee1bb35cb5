"""Fuzzing of what strangers send: scripts for atheris, run by hand or by ``pytest -m deep``.

``seeds`` and ``wire_seeds`` make the first corpus, ``corpus/`` keeps what earlier runs found worth keeping. Of the
authority's doors, ``fuzz_request`` tries requests for certificates and ``fuzz_est`` the bodies that EST carries; of the
proxy, ``fuzz_frames``, ``fuzz_head``, ``fuzz_envelope`` and ``fuzz_target`` try what a station puts on the wire, and
hold every reading against a second one by others.

``pip install -e '.[fuzz]'`` brings atheris; ``python -m tests.fuzz.fuzz_request CORPUS -max_total_time=1200`` runs one.
"""
