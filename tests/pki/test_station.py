"""What the ledger knows of a station."""

from __future__ import annotations

import dataclasses

import pytest

from pki.station import CertificateStatus, PasswordForm, SecurityProfile, StationStatus, best_tls
from tests.pki.papers import STATION


def test_profiles_are_ordered_by_strength() -> None:
    """So that a minimum can be compared with."""
    assert SecurityProfile.BASIC < SecurityProfile.TLS_BASIC < SecurityProfile.MUTUAL_TLS
    assert [int(profile) for profile in SecurityProfile] == [1, 2, 3]


@pytest.mark.parametrize("kind", [StationStatus, CertificateStatus, PasswordForm])
def test_states_read_back_from_what_is_stored(kind: type[StationStatus]) -> None:
    """Their text is their value."""
    assert [kind(str(state)) for state in kind] == list(kind)


def test_a_station_cannot_be_changed_in_place() -> None:
    """What admission judged stays what it judged."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        STATION.profile = SecurityProfile.BASIC  # type: ignore[misc] # that is the point


def test_a_new_station_may_connect_and_proves_nothing_by_password() -> None:
    """Active, without verifier, any form, no certificate."""
    assert (STATION.status, STATION.verifier) == (StationStatus.ACTIVE, "")
    assert (STATION.password_form, STATION.certificates) == (PasswordForm.ANY, ())


@pytest.mark.parametrize(
    ("versions", "best"),
    [
        (("TLSv1.2", "TLSv1.3"), "TLSv1.3"),
        (("TLSv1.3", "TLSv1.1", "TLSv1"), "TLSv1.3"),
        (("", "TLSv1"), "TLSv1"),
        (("TLSv1", "SSLv3"), "TLSv1"),
        (("", ""), ""),
    ],
)
def test_of_some_versions_of_tls_the_best_is_found(versions: tuple[str, ...], best: str) -> None:
    """By age, not by letters; what nobody knows is no improvement."""
    assert best_tls(*versions) == best
