"""Reads the proxy's policies from their files, and finds the one that a station is under.

Rules this file keeps:

* The supervisor reads what lies in the home, once, and lays down what it read; workers read that.
* Each worker has its share of what all stations together may be told: the sum of the shares is what the policy says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pki.edge.policies import PROXY, find_policy
from secproxy import transactions
from secproxy.config import TransactionIds
from secproxy.plan import Plan, compile_plan
from secproxy.policy.gauges import Gauges
from secproxy.policy.reading import parse_policy
from secproxy.policy.rulebook import InForce, Rulebook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pki.edge.home import Home
    from pki.station import Station
    from secproxy.config import Config
    from secproxy.policy.fields import Fields
    from secproxy.policy.rules import Policy
    from secproxy.policy_settings import PolicySettings


def read_policy_text(home: Home, name: str) -> str:
    """Read a policy of the home's own, or one that ships. ``NotFoundError("policy.unknown")``."""
    return find_policy(PROXY, home.policies, name).read()


def parse(name: str, text: str, fields: Fields | None = None) -> Policy:
    """Read a policy, with this host's time zones. ``InputError("policy.wrong")``.

    Who checks a file gives ``schema_files.official_fields`` besides. What is in force is read without: a policy that
    was taken once is taken again by a newer version.
    """
    return parse_policy(name, text, ZoneInfo, fields)


def read_policies(home: Home, settings: PolicySettings) -> dict[str, str]:
    """Read every policy that somebody is under; what cannot be used raises ``InputError("policy.wrong")``."""
    texts = {name: read_policy_text(home, name) for name in sorted(settings.names)}
    for name, text in texts.items():
        parse(name, text)
    return texts


def policy_file(name: str) -> str:
    """Name the file in the folder ``run`` that a policy in force lies in."""
    return f"policy-{name}.toml"


class Policies:
    """The policies of one worker. ``shares`` is how many workers there are, ``wish`` what must be heard besides."""

    def __init__(
        self,
        settings: PolicySettings,
        policies: Mapping[str, Policy],
        csms_host: str,
        shares: int,
        wish: Plan = Plan(),  # noqa: B008 - frozen
    ) -> None:
        self._settings, self._policies, self._csms_host, self._wish = settings, policies, csms_host, wish
        self.fleet = Gauges(shares)
        """What all stations of the worker are counted by."""
        self._found: dict[tuple[str, str], InForce] = {}

    def of(self, station: Station, version: str) -> InForce:
        """Find what a station is under that speaks this version; one for all stations under the same."""
        key = self._settings.of(station.identity.text, station.group), version
        if key not in self._found:
            rulebook = Rulebook(self._policies[key[0]], version, self._csms_host)
            self._found[key] = InForce(rulebook, self.fleet, compile_plan(rulebook.plan, self._wish))
        return self._found[key]


def read_policies_in_force(home: Home, config: Config) -> Policies:
    """Read what the supervisor laid down; where it laid nothing down, what lies in the home."""
    policies = {name: parse(name, _text_in_force(home, name)) for name in config.policies.names}
    wish = transactions.wish(unique=config.transaction_ids is TransactionIds.UNIQUE)
    return Policies(config.policies, policies, config.csms_host.text, max(1, config.workers), wish)


def _text_in_force(home: Home, name: str) -> str:
    path = home.run / policy_file(name)
    return path.read_text(encoding="utf-8") if path.is_file() else read_policy_text(home, name)
