"""The official schemas are found where they were installed, for all versions."""

from __future__ import annotations

import json

import pytest

from secproxy.edge.schema_files import SchemaFiles
from secproxy.schemas import VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_its_schemas(version: str) -> None:
    """Each file that is named can be read, those of the 1.6 security extension among them."""
    files = SchemaFiles()
    names = files.names(version)
    assert {"SignCertificateResponse", "SecurityEventNotificationResponse", "MeterValuesResponse"} <= set(names)
    for name in names:
        assert json.loads(files.text(version, name))["type"] == "object"
