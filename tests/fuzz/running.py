"""How every fuzzer here is run: its seeds first, then whatever atheris thinks of."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING

from tests.fuzz import seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def fuzz(try_one: Callable[[bytes], None], first: Iterable[bytes], *watched: str) -> None:
    """Fuzz until told to stop; the corpus is the folder named first on the command line.

    The fuzzer looks for new ways through the ``watched`` modules, or, when none is named, through everything there is,
    which takes it minutes to prepare.
    """
    import atheris

    if watched:
        for function in [each for each in gc.get_objects() if isinstance(each, FunctionType)]:
            if function.__module__ in watched:
                atheris.instrument_func(function)
    else:
        atheris.instrument_all()
    seeds.write(Path(sys.argv[1]), first)
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
