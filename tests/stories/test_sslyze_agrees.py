"""A scanner of others', with an OpenSSL of its own, finds at each kind of listener what the policy says, and no attack.

sslyze pins an older cryptography than ours, so it lives in an environment of its own, named with BOLLARD_SSLYZE:
``python -m venv scanner && scanner/bin/pip install sslyze``, then
``BOLLARD_SSLYZE=scanner/bin/sslyze pytest -m deep tests/stories/test_sslyze_agrees.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.stories.listeners import listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stories.listeners import Doors

SSLYZE = os.environ.get("BOLLARD_SSLYZE") or shutil.which("sslyze") or ""
WEAKNESSES = ("compression", "early_data", "openssl_ccs", "fallback", "heartbleed", "robot", "reneg", "resum", "ems")
VERSIONS = ("sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3")
"""Not SSL 2: the scanner's client for it cannot hold an elliptic-curve certificate; nobody has had it for ten years."""
ASKED = [f"--{name}" for name in (*WEAKNESSES, *VERSIONS, "elliptic_curves")]
SECONDS = 180
AT_1_2 = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
}
AT_1_3 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
OLD = {"TLS_RSA_WITH_AES_128_CBC_SHA"}
GROUPS = {"X25519", "secp256r1", "secp384r1", "secp521r1"}  # it knows no hybrid yet

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(not SSLYZE, reason="NO sslyze HERE: name it with BOLLARD_SSLYZE"),
]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A home that is up, for all scans."""
    with listening(tmp_path_factory.mktemp("sslyze")) as found:
        yield found


@pytest.mark.parametrize(
    ("door", "suites", "groups"),
    [
        *((door, [set(), set(), set(), AT_1_2, AT_1_3], GROUPS) for door in ("certificates", "passwords", "web")),
        ("old", [set(), OLD, OLD, set(), set()], set()),
    ],
)
def test_a_scanner_finds_the_policy_and_nothing_below_it(
    doors: Doors, tmp_path: Path, door: str, suites: list[set[str]], groups: set[str]
) -> None:
    """A00.FR.313, .318, .321: suites by version, and the attacks of the last fifteen years."""
    found = scan(doors, door, tmp_path)
    versions = ("ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3")
    accepted = [found[f"{version}_cipher_suites"]["accepted_cipher_suites"] for version in versions]

    assert [{each["cipher_suite"]["name"] for each in suite} for suite in accepted] == suites
    assert {each["name"] for each in found["elliptic_curves"]["supported_curves"] or ()} == groups
    assert found["tls_compression"]["supports_compression"] is False
    assert found["tls_1_3_early_data"]["supports_early_data"] is False
    assert found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"] is False
    assert found["heartbleed"]["is_vulnerable_to_heartbleed"] is False
    assert found["robot"]["robot_result"].startswith("NOT_VULNERABLE")
    assert found["tls_fallback_scsv"]["supports_fallback_scsv"] is True
    assert found["tls_extended_master_secret"]["supports_ems_extension"] is True
    assert found["session_renegotiation"]["supports_secure_renegotiation"] is True
    assert found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"] is False
    assert found["session_resumption"]["session_id_resumption_result"] == "NOT_SUPPORTED"
    assert found["session_resumption"]["tls_ticket_resumption_result"] == "NOT_SUPPORTED"


def scan(doors: Doors, door: str, folder: Path) -> dict[str, dict[str, Any]]:
    """What the scanner found, by question."""
    key, certificate, result = folder / "key.pem", folder / "chain.pem", folder / "result.json"
    text = doors.paper.read_text()
    key.write_text(text[: text.index("-----BEGIN CERT")])
    certificate.write_text(text[text.index("-----BEGIN CERT") :])
    shown = ["--cert", str(certificate), "--key", str(key), "--sni", "localhost"]
    where = [f"127.0.0.1:{doors.ports[door]}", "--mozilla_config", "disable", "--json_out", str(result)]
    subprocess.run([SSLYZE, *where, *shown, *ASKED], capture_output=True, check=True, timeout=SECONDS)
    [server] = json.loads(result.read_text())["server_scan_results"]
    return {name: each["result"] for name, each in server["scan_result"].items() if each["status"] == "COMPLETED"}
