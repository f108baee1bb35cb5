"""What holds for every test: how long an example takes is no claim of any of them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("bollard", deadline=None)
settings.load_profile("bollard")
