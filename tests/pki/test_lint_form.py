"""The form: every rule of it is broken once in ``test_lint_rules``; here is what must not be found."""

from __future__ import annotations

import pytest

from pki.lint_form import FORM_RULES
from pki.profile import CertificatePurpose
from tests.pki.specimens import specimen


@pytest.mark.parametrize("purpose", CertificatePurpose)
def test_nothing_of_ours_is_written_oddly(purpose: CertificatePurpose) -> None:
    """Roots that live past 2049 included."""
    assert [found for rule in FORM_RULES for found in rule(specimen(purpose), purpose)] == []
