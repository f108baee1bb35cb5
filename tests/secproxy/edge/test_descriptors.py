"""How many stations there are files for."""

from __future__ import annotations

import pytest

from secproxy.edge.descriptors import tell_of_descriptors


@pytest.mark.parametrize(("most", "says"), [(4_096, ["1998 stations"]), (1_048_576, [])])
def test_too_few_descriptors_are_told_in_stations(
    capsys: pytest.CaptureFixture[str], most: int, says: list[str]
) -> None:
    """Two for each; who plans for more learns it at the start and not from the station that is turned away."""
    tell_of_descriptors(most)
    told = capsys.readouterr().err

    assert [word for word in ["1998 stations"] if word in told] == says
