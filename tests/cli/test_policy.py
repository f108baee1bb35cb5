"""Policies by command: what there is, whether it is right, what becomes of a call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pki.edge.policies import FOLDER
from secproxy.jws import write_coded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard

ADD = ("station", "add", "CP-001", "--serial", "SN-1", "--profile", "3", "--group", "depot")
CARRIED = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "InstallCertificate", "data": "{}"}
EXPLAIN = ("-o", "json", "policy", "explain", "--station", "CP-001", "--version", "ocpp1.6")
DENY = '[[rule]]\nname = "r"\nclause = "attack 36"\nfrom = "csms"\nactions = ["Reset"]\ndeny = true\n'


@pytest.fixture
def own(home: Path) -> Path:
    """The folder of the home's own policies."""
    folder = home / "policies" / "proxy"
    folder.mkdir(parents=True)
    return folder


def settle(home: Path, text: str) -> None:
    """Add to the settings."""
    with (home / "bollard.toml").open("a") as settings:
        settings.write(text)


def test_policies_are_listed_with_who_is_under_them(bollard: Bollard, home: Path, own: Path) -> None:
    """Those that ship, and the home's own in their place or beside them."""
    (own / "mine.toml").write_text('says = "mine"\n')
    (own / "strict.toml").write_text("")
    settle(home, '\n[[policy_override]]\ngroup = "depot"\npreset = "mine"\n')
    rows = {row["name"]: row for row in bollard("-o", "json", "policy", "list").rows("policies")}
    assert set(rows) == {"baseline", "migration", "mine", "observe", "strict"}
    assert (rows["baseline"]["under"], rows["baseline"]["source"]) == ("everybody else", "shipped")
    assert (rows["mine"]["under"], rows["mine"]["says"], rows["mine"]["rules"]) == ("group depot", "mine", 0)
    assert rows["mine"]["allow"] == {"station": "none", "csms": "none"}
    assert rows["strict"]["source"] == str(own / "strict.toml")
    assert rows["observe"]["enforced"] == 0


def test_a_policy_is_shown_as_it_can_be_copied(bollard: Bollard) -> None:
    """Its text for people, its rules for programs."""
    assert bollard("policy", "show", "strict").out.strip() == (FOLDER / "proxy" / "strict.toml").read_text().strip()
    shown = bollard("-o", "json", "policy", "show", "baseline").json()
    assert isinstance(shown["rules"], list)
    assert shown["rules"][0] == {
        "name": "no-lower-profile",
        "clause": "attack 09",
        "from": "csms",
        "actions": ["changeconfiguration", "setnetworkprofile", "setvariables"],
        "versions": [],
        "mode": "enforce",
        "test": "keepprofile",
        "says": "a station taken below the profile it is registered with could not connect any more",
    }
    assert bollard("policy", "show", "nobodys").code == 4


def test_a_file_is_checked_with_every_mistake_at_once(bollard: Bollard, tmp_path: Path) -> None:
    """Each with its line, its key and what to write."""
    file = tmp_path / "mine.toml"
    file.write_text(DENY)
    assert bollard("-o", "json", "policy", "check", str(file)).json()["rules"] == 1
    file.write_text("sais = 1\n" + DENY.replace("Reset", "reset").replace("deny = true", 'deny = "x"'))
    told = bollard("-o", "json", "policy", "check", str(file))
    findings = [each["says"] for each in json.loads(told.err)["error"]["findings"]]
    assert told.code == 2
    assert [says.split(":")[0] for says in findings] == ["line 1", "line 6", "line 7"]
    assert bollard("policy", "check", str(tmp_path / "none.toml")).code == 4


def test_without_a_file_all_of_the_home_is_checked(bollard: Bollard, home: Path, own: Path) -> None:
    """Every file, and whether bollard.toml names one that is not there."""
    assert bollard("policy", "check").code == 0
    for name in ("one", "two"):
        (own / f"{name}.toml").write_text("sais = 1\n")
    told = bollard("policy", "check")
    assert told.code == 2
    assert "one.toml: line 1" in told.err
    assert "two.toml: line 1" in told.err
    for name in ("one", "two"):
        (own / f"{name}.toml").unlink()
    settle(home, '\n[policy]\npreset = "nobodys"\n')
    assert bollard("policy", "check").code == 2


def sealed(payload: object) -> dict[str, str]:
    """A payload as a signed message has it."""
    return {"payload": write_coded(payload), "protected": write_coded({"alg": "ES256"}), "signature": "AAAA"}


def test_a_policy_is_checked_by_its_name_where_there_is_no_such_file(
    bollard: Bollard, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the other commands take it; what is neither is a file that is missing, whether or not there is a home."""
    (own / "mine.toml").write_text('says = "mine"\n[[rule]]\nname = "x"\n')
    monkeypatch.chdir(tmp_path)
    assert bollard("policy", "check", "baseline").code == 0
    assert "policy.wrong" in bollard("policy", "check", "mine").err
    (tmp_path / "baseline").write_text("spoilt")
    assert "policy.wrong" in bollard("policy", "check", "baseline").err
    assert "file.missing" in bollard("policy", "check", "nobody").err


def test_an_action_that_nobody_calls_is_told(bollard: Bollard) -> None:
    """It is explained all the same, for it may come."""
    bollard(*ADD)
    told = bollard(*EXPLAIN, "--action", "Resett")
    assert (told.code, "ocpp1.6 has no action 'Resett'; write Reset" in told.err) == (0, True)
    assert "has no action" not in bollard(*EXPLAIN, "--action", "reset").err


@pytest.mark.parametrize(
    ("action", "payload", "code", "outcome", "rule", "verdict"),
    [
        ("Reset", None, 0, "passes", "many-disruptions", "counts"),
        ("GetLog", None, 0, "passes", "upload-urls", "reads the payload"),
        ("GetLog", {"log": {"remoteLocation": "file:///x"}}, 5, "refused", "upload-urls", "objects"),
        ("GetLog", {"log": {"remoteLocation": "https://a.example/"}}, 0, "passes", "upload-urls", "passes"),
        ("InstallCertificate", None, 0, "passes", "certificates-changed", "objects"),
        ("InstallCertificate", {"certificate": "x"}, 5, "refused", "roots-installed", "objects"),
        ("DeleteCertificate", {"certificateHashData": {}}, 5, "refused", "roots-deleted", "objects"),
        ("ChangeConfiguration", {"key": "SecurityProfile", "value": "2"}, 5, "refused", "no-lower-profile", "objects"),
        ("MadeUp", None, 0, "passes", "allow", "objects"),
        ("Heartbeat", None, 0, "passes", None, None),
        ("SignedUpdateFirmware", None, 0, "goes on to the firmware gate", None, None),
        ("GetLog-Signed", None, 0, "passes", "upload-urls", "reads the payload"),
        ("GetLog-Signed", sealed({"log": {"remoteLocation": "file:///x"}}), 5, "refused", "upload-urls", "objects"),
        (
            "GetLog-Signed",
            sealed({"log": {"remoteLocation": "https://a.example/"}}),
            0,
            "passes",
            "upload-urls",
            "passes",
        ),
        ("GetLog-Signed", {"payload": "?"}, 5, "refused", "upload-urls", "objects"),
        ("SignCertificate-Signed", sealed({"csr": "x"}), 5, "refused", "certificate-requests", "objects"),
        ("DataTransfer-Signed", sealed(CARRIED), 5, "refused", "roots-installed", "objects"),
    ],
)
def test_a_call_is_explained_by_the_rules_it_meets(
    bollard: Bollard,
    tmp_path: Path,
    action: str,
    payload: object,
    code: int,
    outcome: str,
    rule: str | None,
    verdict: str | None,
) -> None:
    """Which rule, which clause, what happens; a script sees it by the exit code as well."""
    bollard(*ADD)
    words: tuple[str, ...] = (*EXPLAIN, "--action", action)
    if payload is not None:
        (tmp_path / "payload.json").write_text(json.dumps(payload))
        words = (*words, "--payload", str(tmp_path / "payload.json"))
    told = bollard(*words)
    data = told.json()
    lines = data["rules"]
    assert isinstance(lines, list)
    assert (told.code, data["outcome"], data["policy"]) == (code, outcome, "baseline")
    assert {each["rule"]: each["verdict"] for each in lines}.get(rule) == verdict
    assert ("error" in told.err) is (code != 0)


def test_a_station_is_judged_by_the_policy_of_its_group(bollard: Bollard, home: Path) -> None:
    """As it would be when it connects; the side that calls may be told."""
    bollard(*ADD)
    settle(home, '\n[[policy_override]]\ngroup = "depot"\npreset = "strict"\n')
    assert bollard(*EXPLAIN, "--action", "MadeUp").code == 5
    lines = bollard(*EXPLAIN, "--action", "DataTransfer", "--from", "station").json()["rules"]
    assert isinstance(lines, list)
    assert [each["rule"] for each in lines] == ["vendors-of-stations"]


@pytest.mark.parametrize(
    ("action", "side", "rules"),
    [
        ("SignCertificate", "station", ["certificate-requests"]),
        ("signcertificate", "station", ["certificate-requests"]),
        ("DataTransfer", "csms", ["long-data-of-the-csms"]),
        ("MadeUp", "csms", ["allow"]),
    ],
)
def test_an_action_is_called_by_whoever_can_call_it(bollard: Bollard, action: str, side: str, rules: list[str]) -> None:
    """Nobody is told that a call passes because the wrong side was asked about; what both call is the CSMS's."""
    bollard(*ADD)
    told = bollard(*EXPLAIN, "--action", action).json()
    lines = told["rules"]
    assert isinstance(lines, list)
    assert (told["from"], [each["rule"] for each in lines]) == (side, rules)


def test_what_cannot_be_explained_is_told_as_what_it_is(bollard: Bollard, tmp_path: Path) -> None:
    """A station nobody knows, a version nobody knows, a payload that no reader takes."""
    bollard(*ADD)
    (tmp_path / "p.json").write_text('{"a":1,"a":2}')
    words = ("policy", "explain", "--action", "Reset", "--station")
    assert bollard(*words, "CP-404", "--version", "ocpp1.6").code == 4
    assert bollard(*words, "CP-001").code == 2
    assert bollard(*words, "CP-001", "--version", "ocpp9").code == 2
    told = bollard(*words, "CP-001", "--version", "ocpp1.6", "--payload", str(tmp_path / "p.json"))
    assert (told.code, "message.malformed" in told.err, "duplicate" in told.err) == (5, True, True)
    told = bollard("policy", "explain", "--action", "Re set", "--station", "CP-001", "--version", "ocpp1.6")
    assert told.code == 5
    (tmp_path / "p.json").write_text('{"payload":"?"}')
    for action in ("DataTransfer-Signed", "Reset-Signed-Signed"):
        signed = (*EXPLAIN, "--action", action, "--payload", str(tmp_path / "p.json"))
        told = bollard(*signed)
        assert (told.code, "it would be no message: signed" in told.err) == (5, True)
