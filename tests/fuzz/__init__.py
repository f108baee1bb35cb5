"""Fuzzing of what strangers send: scripts for atheris, run by hand or by ``pytest -m deep``.

``seeds`` makes the first corpus; ``fuzz_request`` is the door for requests, ``fuzz_est`` the bodies that EST carries.
``pip install -e '.[fuzz]'`` brings atheris; ``python -m tests.fuzz.fuzz_request CORPUS -max_total_time=1200`` runs one.
"""
