"""Bollard's launcher: it puts the rooms on the import path and hands over to the command line.

In a wheel the rooms lie in ``bollard/rooms``; in a checkout they lie beside this folder. Either way ``pki``,
``secproxy`` and ``cli`` are imported by those names, first on the path, so that no other distribution's
package of the same name can take their place.
"""

import sys
from pathlib import Path

__version__ = "0.1.0"

_here = Path(__file__).resolve().parent
ROOMS = _here / "rooms" if (_here / "rooms").is_dir() else _here.parent
sys.path.insert(0, str(ROOMS))


def main() -> None:
    """Run the ``bollard`` command and exit with its code."""
    from cli.main import run

    sys.exit(run(sys.argv[1:]))
