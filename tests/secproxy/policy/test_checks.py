"""Each check of a rule by itself; what they say together is shown where files are read."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from secproxy.plan import Side
from secproxy.policy.as_read import CertificatesAsRead, KeysAsRead, RuleAsRead, VendorsAsRead
from secproxy.policy.checks import check, find_actions

FINGERPRINT = "ab" * 32


def found(actions: list[str], **test: object) -> list[tuple[str, ...]]:
    """The keys of a rule that are wrong."""
    rule = RuleAsRead(name="r", clause="attack 35", side=Side.CSMS, actions=actions, **test)  # type: ignore[arg-type]  # the table says which key
    return [key for key, _ in check(rule, ZoneInfo)]


@pytest.mark.parametrize(
    ("actions", "test", "wrong"),
    [
        (["DataTransfer"], {"vendors": VendorsAsRead(allow=[])}, []),
        (["DataTransfer"], {"vendors": VendorsAsRead()}, [("vendors",)]),
        (
            ["DataTransfer"],
            {"vendors": VendorsAsRead(allow=[""], longest=-1)},
            [("vendors", "longest"), ("vendors", "allow")],
        ),
        (["InstallCertificate"], {"certificates": CertificatesAsRead([FINGERPRINT])}, []),
        (["InstallCertificate"], {"certificates": CertificatesAsRead(["AB"])}, [("certificates", "fingerprints")]),
        (
            ["InstallCertificate"],
            {"certificates": CertificatesAsRead(unsafe_types=["MORootCertificate", "Any"])},
            [("certificates", "unsafe_types")],
        ),
        (["InstallCertificate"], {"keep_roots": True}, [("keep_roots",)]),
        (["DeleteCertificate"], {"keep_roots": True}, []),
        (["DeleteCertificate"], {"keep_roots": False}, [("keep_roots",)]),
        (["SetVariables"], {"keys": KeysAsRead(deny=["*.BasicAuthPassword", "SecurityCtrlr.*", "A.B"])}, []),
        (["GetConfiguration"], {"keys": KeysAsRead(allow=[])}, []),
        (["GetConfiguration"], {"keys": KeysAsRead()}, [("keys",)]),
        (["GetConfiguration"], {"keys": KeysAsRead(deny=["*"])}, [("keys", "deny")]),
        (["GetConfiguration"], {"keys": KeysAsRead(deny=["*.*"])}, [("keys", "deny")]),
    ],
)
def test_a_test_that_means_nothing_is_a_mistake(
    actions: list[str], test: dict[str, object], wrong: list[tuple[str, ...]]
) -> None:
    """An empty list of what is allowed is none: it allows nothing, and says so."""
    assert found(actions, **test) == wrong


def test_an_action_belongs_to_a_side_and_to_versions() -> None:
    """Of the versions named, one has to have it."""
    assert list(find_actions(["Reset"], Side.CSMS, ["ocpp1.6"])) == []
    assert list(find_actions(["RequestStopTransaction"], Side.CSMS, ["ocpp1.6"])) != []
    assert list(find_actions(["RequestStopTransaction"], Side.CSMS, [])) == []
    assert list(find_actions(["RequestStopTransaction"], Side.STATION, [])) != []
    assert list(find_actions(["Reset"] * 999, Side.CSMS, [])) != []
