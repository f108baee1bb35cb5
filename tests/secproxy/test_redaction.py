"""No secret is in what is written down of a message, wherever it stood and however it was written; the rest is."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.jws import unseal
from secproxy.reader import UnreadableError
from secproxy.redaction import DATA_KEPT, MASK, Redaction, holds_masked, is_secret

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = "Zq7mArKeRx9"
PLAIN = Redaction(None)
SALT = bytes(16)

Payload = dict[str, object]


def call(action: str, payload: object) -> list[object]:
    """A call as JSON values."""
    return [2, "1", action, payload]


def variable(name: str, **more: object) -> Payload:
    """A variable of OCPP 2.x and what is told of it."""
    return {"component": {"name": "SecurityCtrlr"}, "variable": {"name": name}, **more}


def in_text(text: str) -> list[object]:
    """A text in a field that people read."""
    return call("SecurityEventNotification", {"type": "SettingSystemTime", "techInfo": text})


PLACES: dict[str, Callable[[str], object]] = {
    "key, 1.6": lambda s: call("ChangeConfiguration", {"key": "AuthorizationKey", "value": s}),
    "key, another case": lambda s: call("ChangeConfiguration", {"value": s, "key": "AUTHORIZATIONKEY"}),
    "told keys, 1.6": lambda s: [
        3,
        "1",
        {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": s}], "unknownKey": []},
    ],
    "set variable": lambda s: call(
        "SetVariables", {"setVariableData": [variable("BasicAuthPassword", attributeValue=s)]}
    ),
    "got variable": lambda s: [3, "1", {"getVariableResult": [variable("vpnKey", attributeValue=s)]}],
    "a component's name": lambda s: [
        3,
        "1",
        {
            "getVariableResult": [
                {"component": {"name": "WifiPassphrase"}, "variable": {"name": "Actual"}, "attributeValue": s}
            ]
        },
    ],
    "a URL's query, behind a password with a slash": lambda s: call("GetLog", {"log": f"ftp://u:p/w@h/x?token={s}"}),
    "reported variable": lambda s: call(
        "NotifyReport", {"reportData": [variable("ApnPassword", variableAttribute=[{"type": "Actual", "value": s}])]}
    ),
    "event": lambda s: call("NotifyEvent", {"eventData": [variable("BasicAuthPassword", actualValue=s)]}),
    "network profile": lambda s: call("SetNetworkProfile", {"connectionData": {"basicAuthPassword": s}}),
    "apn": lambda s: call("SetNetworkProfile", {"connectionData": {"apn": {"apn": "x", "apnPassword": s}}}),
    "vpn key": lambda s: call("SetNetworkProfile", {"connectionData": {"vpn": {"server": "x", "key": s}}}),
    "vpn password": lambda s: call("SetNetworkProfile", {"connectionData": {"vpn": {"password": s}}}),
    "a URL's password": lambda s: call("GetLog", {"log": {"remoteLocation": f"ftp://user:{s}@host/x"}}),
    "a URL's user": lambda s: call("GetDiagnostics", {"location": f"HTTPS://{s}@host:8/x"}),
    "a URL's password with a slash": lambda s: call("GetDiagnostics", {"location": f"ftp://user:p/{s}@host/x"}),
    "a URL's query": lambda s: call("GetDiagnostics", {"location": f"https://host/x?a=1&t={s}#f"}),
    "two URLs": lambda s: in_text(f"https://a/ https://u:{s}@b/"),
    "a ticket of ours": lambda s: call("UpdateFirmware", {"location": f"https://us.example/f/{s}/0abc.bin"}),
    "a private key": lambda s: in_text(f"x -----BEGIN EC PRIVATE KEY-----\n{s}\n-----END EC PRIVATE KEY----- y"),
    "half a private key": lambda s: in_text(f"-----BEGIN PRIVATE KEY-----\n{s}"),
    "vendor data": lambda s: call("DataTransfer", {"vendorId": "x", "data": "y" * DATA_KEPT + s}),
    "vendor JSON": lambda s: call("DataTransfer", {"vendorId": "x", "data": {"a": [{"wifi_PassPhrase": s}]}}),
    "vendor JSON, as text": lambda s: call("DataTransfer", {"vendorId": "x", "data": json.dumps({"userPinCode": s})}),
    "JSON in JSON": lambda s: in_text(json.dumps(json.dumps({"a": json.dumps({"Secret": s})}))),
    "JSON with a key twice": lambda s: in_text('{"a":"https://u:' + s + '@h","a":"ok"}'),
    "a name's value in a text": lambda s: in_text(f"set BasicAuthPassword = {s}, done"),
    "a header": lambda s: in_text(f"Authorization: Basic {s}"),
    "an error": lambda s: [4, "1", "InternalError", f"cannot log in at ftp://u:{s}@h", {"apiToken": s}],
    "below a secret's name": lambda s: call("X", {"credentials": {"a": [s, {"b": s}]}}),
    "a field's name": lambda s: call("X", {f"https://u:{s}@h/": 1}),
    "no message": lambda s: {"PASSWORD": s},
}
"""Where a secret can stand, by name: each makes a message of one."""


def escaped(text: str, every: int) -> str:
    """JSON with some of the letters of the marker, and of names, written as escapes."""
    return "".join(
        f"\\u{ord(letter):04x}" if place % every == 0 and letter.isalpha() else letter
        for place, letter in enumerate(text)
    )


def written(value: object, every: int) -> bytes:
    """A value in JSON whose texts are written with escapes; literals and numbers stay."""
    if isinstance(value, dict):
        fields = b",".join(written(name, every) + b":" + written(each, every) for name, each in value.items())
        return b"{" + fields + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(written(each, every) for each in value) + b"]"
    text = json.dumps(value)
    if not isinstance(value, str) or "\\" in text:
        return text.encode()
    return escaped(text, every).encode()


@pytest.mark.parametrize("place", PLACES)
@given(every=st.sampled_from([1, 2, 3, 10_000]), tail=st.text("abcXYZ019", max_size=12))
def test_a_secret_is_nowhere_in_what_is_written(place: str, every: int, tail: str) -> None:
    """Whether it was written plainly or in escapes."""
    message = written(PLACES[place](MARKER + tail), every)
    redacted = json.dumps(PLAIN.redact(message), ensure_ascii=False)
    assert MARKER not in redacted
    assert MASK in redacted


def sealed(inside: bytes, **more: object) -> Payload:
    """A payload that signs a text."""
    coded = base64.urlsafe_b64encode(inside).rstrip(b"=").decode()
    return {"payload": coded, "protected": "eyJhbGciOiJFUzI1NiJ9", "signature": "AAAA", **more}


def opened(value: object) -> object:
    """A value with everything in it that stands there in base64 made plain."""
    if isinstance(value, dict):
        return {name: opened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [opened(each) for each in value]
    if not isinstance(value, str):
        return value
    try:
        return [value, opened(json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))))]
    except ValueError:
        return value


@pytest.mark.parametrize("place", PLACES)
@given(every=st.sampled_from([1, 3, 10_000]), times=st.integers(1, 6))
def test_a_secret_is_nowhere_in_what_is_written_of_a_signed_message(place: str, every: int, times: int) -> None:
    """Neither in what is signed nor in a signature by which it could be guessed; however often it was signed."""
    said = PLACES[place](MARKER)
    head, payload = (said[:-1], said[-1]) if isinstance(said, list) else ([2, "1", "X"], said)
    for _ in range(times):
        payload = sealed(written(payload, every))
    action = [f"{head[2]}-Signed"] if head[0] == 2 else head[2:]
    redacted = PLAIN.redact(json.dumps([*head[:2], *action, payload]).encode())
    shown = json.dumps(opened(redacted))
    assert MARKER not in shown
    assert MASK in shown
    assert "AAAA" not in shown
    assert holds_masked(redacted)


SECRET: Payload = {"key": "AuthorizationKey", "value": MARKER}
SAID = json.dumps(SECRET).encode()
CODED = sealed(SAID)["payload"]
PADDED = base64.b64encode(SAID + b" " * (len(SAID) % 3 == 0)).decode()
PNC: Payload = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "SignCertificate"}
HIDDEN: list[object] = [
    call("X-Signed", {"payload": CODED}),
    call("X-Signed-Signed", sealed(json.dumps(sealed(SAID)).encode())),
    call("X", {"customData": sealed(SAID)}),
    call("X", {"customData": sealed(b"{}", protected=CODED)}),
    call("X", sealed(b"{}", signatures=[{"protected": CODED, "signature": 1}])),
    call("X", sealed(SAID, payload=PADDED)),
    call("X-Signed", sealed(SAID.replace(b"}", b',"key":1}'))),
    call("X-signed", sealed(b"{}", password=MARKER)),
    call("DataTransfer-Signed", sealed(json.dumps({**PNC, "data": json.dumps(SECRET)}).encode())),
    call("DataTransfer-Signed", sealed(json.dumps({**PNC, "data": json.dumps(SECRET)[:-1]}).encode())),
    call("DataTransfer-Signed", {**PNC, "data": "y" * DATA_KEPT + MARKER}),
    call("DataTransfer", {**PNC, "data": json.dumps(sealed(SAID))}),
    call("DataTransfer", {**PNC, "data": f'{{"a":"{MARKER}","a":1}}'}),
    call("DataTransfer", {**PNC, "data": f'"{{\\"pin\\":\\"{MARKER} x, y\\"'}),
    call("DataTransfer", {**PNC, "data": base64.b64encode(f'{{"pin":"{MARKER}"}}'.encode()).decode()}),
    call("DataTransfer", {**PNC, "data": f"ftp://u:{MARKER}@h"}),
    [3, "1", {"status": "Accepted", "data": sealed(SAID)}],
    [6, "1", "X-Signed", sealed(json.dumps({"url": f"https://u:{MARKER}@h/"}).encode())],
]  # fmt: skip


@pytest.mark.parametrize("said", HIDDEN, ids=range(len(HIDDEN)))
@pytest.mark.parametrize("asked", ["", "DataTransfer", "GetVariables-Signed"])
def test_a_secret_is_found_wherever_something_is_signed_or_carried(said: object, asked: str) -> None:
    """Beside what is signed, in a header, in a signed payload that is nobody's, in what a DataTransfer carries."""
    shown = json.dumps(opened(PLAIN.redact(json.dumps(said).encode(), asked)))
    assert MARKER not in shown
    assert "*" in shown


def test_what_is_signed_and_holds_no_secret_is_kept_as_it_is() -> None:
    """With its signature, so that it can still be verified."""
    said = call("Reset-Signed", sealed(b'{ "type": "Hard" }'))
    assert PLAIN.redact(json.dumps(said).encode()) == said
    assert not holds_masked(said)


def test_what_was_masked_is_known_to_be_where_no_signature_says_so() -> None:
    """In what was signed by its name alone: an answer to it may repeat the secret."""
    kept = PLAIN.redact(json.dumps(call("X-Signed", {"payload": CODED})).encode())
    assert holds_masked(kept)
    assert not holds_masked(call("X-Signed", {"payload": sealed(b'{"key":"Interval","value":"1"}')["payload"]}))


def test_a_signed_question_for_settings_keeps_their_names() -> None:
    """As one in the clear; and what a signed DataTransfer carries keeps its length."""
    said = call("GetConfiguration-Signed", sealed(b'{"key":["AuthorizationKey"]}'))
    assert PLAIN.redact(json.dumps(said).encode()) == said
    long = sealed(json.dumps({"vendorId": "x", "data": "y" * 90}).encode())
    [*_, kept] = cast("list[Payload]", PLAIN.redact(json.dumps(call("DataTransfer-Signed", long)).encode()))
    assert unseal(kept) == {"vendorId": "x", "data": "y" * DATA_KEPT + "*" * (90 - DATA_KEPT)}
    assert kept["signature"] == MASK


def test_free_words_in_a_signed_answer_may_repeat_a_secret() -> None:
    """Like those in the clear."""
    answer = [3, "1", sealed(json.dumps({"statusInfo": {"additionalInfo": MARKER, "reasonCode": "x"}}).encode())]
    [*_, kept] = cast("list[Payload]", PLAIN.redact_read(answer, "setvariables-signed", repeats=True))
    assert unseal(kept) == {"statusInfo": {"additionalInfo": MASK, "reasonCode": "x"}}


NAMES = st.sampled_from(["status", "connectorId", "reason", "interval", "firmwareVersion", "evseId", "info"])
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text("abcdefg XYZ.-_0123", max_size=40)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


@given(payload=st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_is_no_secret_is_kept(payload: Payload) -> None:
    """As it reads."""
    assert PLAIN.redact(json.dumps(call("StatusNotification", payload)).encode()) == call("StatusNotification", payload)


@pytest.mark.parametrize(
    "message",
    [
        call("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "30"}),
        call("GetConfiguration", {"key": ["AuthorizationKey"]}),
        [3, "1", {"configurationKey": [{"key": "GetConfigurationMaxKeys", "readonly": True, "value": "9"}]}],
        call("GetLog", {"log": {"remoteLocation": "https://keys.example:8443/token/x"}}),
        [
            3,
            "1",
            {
                "getVariableResult": [
                    {"component": {"name": "TokenReader"}, "variable": {"name": "Enabled"}, "attributeValue": "true"}
                ]
            },
        ],
        call("DeleteCertificate", {"certificateHashData": {"issuerKeyHash": "00ff", "hashAlgorithm": "SHA256"}}),
        call("Authorize", {"idToken": {"idToken": "T1", "type": "ISO14443"}}),
        call("InstallCertificate", {"certificate": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"}),
        in_text('{"a" : 1}'),
    ],
)
def test_what_only_sounds_like_a_secret_is_kept(message: list[object]) -> None:
    """Names of settings, the standard's own words, addresses, certificates."""
    assert PLAIN.redact(json.dumps(message).encode()) == message


def test_what_is_told_of_a_secret_is_kept() -> None:
    """Its name, its kind; and a location with a password still has one, as policies see it."""
    said = call("NotifyReport", variable("BasicAuthPassword", variableAttribute=[{"type": "Actual", "value": "x"}]))
    masked = call("NotifyReport", variable("BasicAuthPassword", variableAttribute=[{"type": "Actual", "value": MASK}]))
    assert PLAIN.redact(json.dumps(said).encode()) == masked
    location = call("GetDiagnostics", {"location": "ftp://u:p@host:21/x"})
    assert PLAIN.redact(json.dumps(location).encode()) == call(
        "GetDiagnostics", {"location": "ftp://***:***@host:21/x"}
    )


def test_a_secret_number_is_masked_as_a_number() -> None:
    """So that it still fits its schema."""
    assert PLAIN.redact(b'[2,"1","X",{"simPin":1234}]') == call("X", {"simPin": 0})


def test_vendor_data_keep_their_length() -> None:
    """Policies limit it."""
    said = PLAIN.redact(json.dumps(call("DataTransfer", {"vendorId": "x", "data": "y" * 90})).encode())
    assert said == call("DataTransfer", {"vendorId": "x", "data": "y" * DATA_KEPT + "*" * (90 - DATA_KEPT)})


def test_the_answer_to_a_vendor_message_is_cut_too() -> None:
    """It is known by the action that was asked for."""
    said = json.dumps(PLAIN.redact(json.dumps([3, "1", {"data": "y" * 90}]).encode(), "DataTransfer"))
    assert "y" * (DATA_KEPT + 1) not in said


def test_tokens_are_hashed_under_a_salt() -> None:
    """The same token is the same again in one recording, and another in the next."""
    message = b'[2,"1","Authorize",{"idTag":"ABC"}]'
    first, other = Redaction(SALT).redact(message), Redaction(b"x" * 16).redact(message)
    assert first == Redaction(SALT).redact(message) != other
    assert "ABC" not in json.dumps([first, other])


def test_what_nobody_can_read_is_refused() -> None:
    """Two values of one key: which would be hidden?"""
    with pytest.raises(UnreadableError):
        PLAIN.redact(b'[2,"1","X",{"a":1,"a":2}]')


@pytest.mark.parametrize(
    ("name", "secret"), [("ApiKEY", True), ("simPin", True), ("mapping", False), ("idToken", True)]
)
def test_a_name_says_whether_it_is_a_secrets(name: str, secret: bool) -> None:
    """In any case; words in which the letters only occur are none."""
    assert is_secret(name) is secret
