"""Policies are found by plain names inside their folder and nowhere else."""

from __future__ import annotations

import pytest

from pki.edge.policies import FOLDER, read_policy
from pki.errors import NotFoundError
from pki.profile import parse_profile


@pytest.mark.parametrize("name", sorted(path.stem for path in (FOLDER / "certificates").glob("*.toml")))
def test_every_certificate_profile_shipped_can_be_read(name: str) -> None:
    """What lies in the folder is usable."""
    assert parse_profile(name, read_policy("certificates", name)).name == name


@pytest.mark.parametrize("name", ["../certificates/root", "", "Root", "none", "/etc/passwd", "root.toml"])
def test_a_name_cannot_lead_out_of_the_folder(name: str) -> None:
    """The refusal lists what there is."""
    with pytest.raises(NotFoundError, match=r"policy\.unknown") as refused:
        read_policy("certificates", name)
    assert "issuing, ocsp, root" in refused.value.advice
