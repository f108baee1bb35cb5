"""A policy from its file: what is read, and every mistake with its line, its key and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pki.edge.policies import FOLDER
from pki.errors import InputError
from secproxy.plan import Side
from secproxy.policy.as_read import TAKES, RuleAsRead
from secproxy.policy.reading import parse_policy
from secproxy.policy.rules import Deny, Mode, Policy, Rate, Rest, Scope
from secproxy.policy_settings import DEFAULT

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
says = "an example"

[allow]
station = "known"
csms = ["Reset", "GetLog"]

[[rule]]
name = "no-resets"
clause = "attack 36"
from = "csms"
actions = ["Reset"]
versions = ["ocpp1.6"]
mode = "observe"
says = "why"
deny = true
window = { from = "22:00", until = "06:00", zone = "Europe/Berlin" }

[[rule]]
name = "few-logs"
clause = "N01.FR.17"
from = "csms"
actions = ["GetLog"]
[rule.rate]
per_minute = 10
scope = "fleet"
"""


def parse(text: str) -> Policy:
    """A policy of this text."""
    return parse_policy("own", text, ZoneInfo)


def mistakes(text: str) -> list[str]:
    """What is wrong with it."""
    with pytest.raises(InputError) as wrong:
        parse(text)
    assert wrong.value.code == "policy.wrong"
    return [finding.says for finding in wrong.value.findings]


def test_a_file_becomes_rules() -> None:
    """Names of actions in small letters, a burst of a minute's worth unless said, times in minutes."""
    policy = parse(GOOD)
    first, second = policy.rules
    assert (policy.name, policy.says, policy.mode) == ("own", "an example", Mode.ENFORCE)
    assert (policy.allow[Side.STATION].rest, policy.allow[Side.CSMS].rest) == (Rest.KNOWN, Rest.NONE)
    assert policy.allow[Side.CSMS].named == {b"reset", b"getlog"}
    assert (first.name, first.side, set(first.actions), first.test) == ("no-resets", Side.CSMS, {b"reset"}, Deny())
    assert (first.mode, set(first.versions), first.says) == (Mode.OBSERVE, {"ocpp1.6"}, "why")
    assert first.window is not None
    assert (first.window.begin, first.window.end, len(first.window.days)) == (22 * 60, 6 * 60, 7)
    assert (second.mode, second.test) == (Mode.ENFORCE, Rate(10, 10, Scope.FLEET))


def test_an_empty_file_lets_nothing_through() -> None:
    """What is not written allows nothing."""
    policy = parse("")
    assert all(allow.rest is Rest.NONE and not allow.named for allow in policy.allow.values())
    assert (policy.rules, policy.mode) == ((), Mode.ENFORCE)


@pytest.mark.parametrize("path", sorted((FOLDER / "proxy").glob("*.toml")), ids=lambda path: path.stem)
def test_every_policy_that_ships_can_be_read(path: Path) -> None:
    """Each says what it is for, and each of its rules why it is there."""
    policy = parse_policy(path.stem, path.read_text(), ZoneInfo)
    assert policy.says
    assert all(rule.says for rule in policy.rules)


def test_the_policies_that_ship_are_the_four() -> None:
    """The default among them."""
    names = {path.stem for path in (FOLDER / "proxy").glob("*.toml")}
    assert names == {"baseline", "strict", "observe", "migration"}
    assert DEFAULT in names


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('says = "an example"', "says = 7", 2, "no text in quotes"),
        ('says = "an example"', 'sais = "x"', 2, "'sais' is no key of a policy"),
        ('station = "known"', 'station = "some"', 4, "all, known, none"),
        ('"Reset", "GetLog"]\n', '"Reste"]\n', 6, "'Reste' is no action that the csms calls"),
        ('name = "no-resets"', 'name = "No Resets"', 9, "no name"),
        ('name = "few-logs"', 'name = "no-resets"', 20, "choose another name"),
        ('clause = "attack 36"', 'clause = ""', 10, "no clause"),
        ('clause = "attack 36"', 'clause = "attack 99"', 10, "no clause"),
        ('clause = "attack 36"\n', "", 8, "clause is missing"),
        ('from = "csms"\nactions = ["Reset"]', 'from = "me"\nactions = ["Reset"]', 11, "from: "),
        ('actions = ["Reset"]', 'actions = ["reset"]', 12, "write 'Reset'"),
        ('actions = ["Reset"]', 'actions = ["Heartbeat"]', 12, "the csms calls"),
        ('actions = ["Reset"]', 'actions = ["GetVariables"]', 12, "the csms calls"),
        ('actions = ["Reset"]', "actions = []", 12, "names 0 actions"),
        ('versions = ["ocpp1.6"]', 'versions = ["ocpp1.5"]', 13, "no version"),
        ('mode = "observe"', 'mode = "warn"', 14, "mode: "),
        ("deny = true", "deny = false", 16, "leave the rule out"),
        ("deny = true", "denied = true", 16, "'denied' is no key of a rule"),
        ("deny = true\n", "", 8, "it has no test"),
        ("deny = true", "deny = true\nkeep_profile = true", 8, "deny, keep_profile; write one of"),
        ("deny = true", "keep_profile = true", 16, "it can say nothing about Reset; it is for ChangeConfiguration"),
        ("deny = true", "keys = { deny = ['x'] }", 16, "it can say nothing about Reset"),
        ("deny = true", "vendors = { longest = 4 }", 16, "it is for DataTransfer"),
        ("deny = true", "certificates = { fingerprints = [] }", 16, "it is for InstallCertificate"),
        ("deny = true", "requests = true", 16, "it is for SignCertificate"),
        ("deny = true", "keep_roots = true", 16, "it is for DeleteCertificate"),
        ("deny = true", "schema = {}", 16, "satisfied by everything"),
        ("deny = true", "schema = { type = 'x' }", 16, "no JSON Schema"),
        ("deny = true", "urls = { fields = [], schemes = ['https'] }", 16, "urls.fields: it is empty"),
        ("deny = true", "urls = { fields = ['a b'], schemes = ['https'] }", 16, "urls.fields: 'a b' cannot be used"),
        ("deny = true", "urls = { fields = ['a'], schemes = [] }", 16, "urls.schemes: it is empty"),
        ("deny = true", "urls = { fields = ['a'], schemes = ['*'] }", 16, "urls.schemes: '*' cannot be used"),
        ("deny = true", "urls = { fields = ['a'], schemes = ['https'], hosts = ['*'] }", 16, "leave hosts out"),
        ("deny = true", "urls = { fields = ['a'], schemes = ['https'], hosts = ['*.com'] }", 16, "two parts or more"),
        ("deny = true", "urls = { fields = ['a'], schemes = ['https'], ports = [0] }", 16, "0 is no port"),
        ("deny = true", "urls = { fields = ['a'], schemes = ['https'], any = true }", 16, "unknown field `any`"),
        ('zone = "Europe/Berlin"', 'zone = "Europe/Nowhere"', 17, "no time zone"),
        ('from = "22:00"', 'from = "24:00"', 17, "no time of day"),
        ('until = "06:00"', 'until = "22:00"', 17, "the same as from"),
        ("per_minute = 10", "per_minute = 0", 25, "rate.per_minute: 0 is out of range"),
        ("per_minute = 10", "per_minute = 10\nburst = 0", 26, "rate.burst: 0 is out of range"),
        ('scope = "fleet"', 'scope = "site"', 24, "rate: "),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_write(old: str, new: str, line: int, says: str) -> None:
    """No slip of the pen switches a rule off in silence."""
    assert GOOD.count(old) >= 1
    [told] = mistakes(GOOD.replace(old, new, 1))
    assert told.startswith(f"line {line}: ")
    assert says in told


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody runs the check ten times."""
    text = GOOD.replace('mode = "observe"', 'mode = "x"').replace("per_minute = 10", "per_minute = -1")
    assert len(mistakes("sais = 1\n" + text)) == 3


def test_what_can_be_read_of_a_rule_is_judged_beside_what_cannot() -> None:
    """A slip in one key hides none in another; of what cannot be read nothing more is said."""
    text = GOOD.replace('name = "no-resets"', 'name = "No Resets"').replace('from = "csms"', 'form = "csms"', 1)
    told = mistakes(text.replace('versions = ["ocpp1.6"]', 'versions = ["1.6"]').replace("deny = true", 'deny = "yes"'))
    assert [says.partition(":")[0] for says in told] == ["line 8", "line 9", "line 11", "line 13", "line 16"]
    assert told[-1].endswith("write true")


def test_a_value_of_another_kind_is_told_with_what_to_write() -> None:
    """For every key of a rule there are words."""
    assert TAKES.keys() == {field.encode_name for field in msgspec.structs.fields(RuleAsRead)}
    [told] = mistakes(GOOD.replace('mode = "observe"', 'mode = "watch"'))
    assert told.endswith("write enforce or observe, in quotes")


def test_what_is_no_toml_is_told_with_its_line() -> None:
    """By the parser's own words."""
    [told] = mistakes("[[rule]\n")
    assert "line 1" in told


@pytest.mark.parametrize("text", ["rule = 1", "rule = [1]", "allow = 1"])
def test_tables_of_another_kind_are_mistakes(text: str) -> None:
    """They are not passed over."""
    assert len(mistakes(text)) == 1
