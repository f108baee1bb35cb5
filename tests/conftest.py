"""What holds for every test: how long an example takes is no claim of any of them, and a change is judged by the same
examples each time. ``pytest --hypothesis-profile=search`` looks for new ones, as what is marked ``deep`` does."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("bollard", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None)
settings.load_profile("bollard")
