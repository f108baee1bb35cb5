"""A real PKCS#11 token for tests: SoftHSM2, with a configuration and a folder of its own for each test."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Final

import pkcs11
import pytest

from pki.settings import Hsm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pkcs11 import TokenFlag

PIN: Final = "2468-right"
WRONG: Final = "1357-wrong"
LABEL: Final = "bollard test"
MODULES: Final = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
)


@dataclass(frozen=True)
class SoftToken:
    """A token, the folder that holds it, and the environment that finds it."""

    folder: Path
    module: str
    config: Path

    @property
    def where(self) -> Hsm:
        """The token as settings name it."""
        return Hsm.parse(self.module, LABEL)

    @property
    def env(self) -> dict[str, str]:
        """What a process needs to open it."""
        return {"SOFTHSM2_CONF": str(self.config), "BOLLARD_HSM_PIN": PIN}

    def add(self, label: str = LABEL) -> None:
        """Make a token of this label."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-4321"]
        subprocess.run(command, env={"SOFTHSM2_CONF": str(self.config), "PATH": "/usr/bin:/usr/local/bin"}, check=True)

    def pull(self) -> None:
        """Take the token away."""
        _move(self._stored, self.folder / "away")

    def plug(self) -> None:
        """Bring it back."""
        _move(self.folder / "away", self._stored)

    def flag(self, flag: TokenFlag) -> None:
        """Set a flag in the token's own file, where it keeps them as eight bytes."""
        held = pkcs11.lib(self.module).get_token(token_label=LABEL).flags
        (file,) = self._stored.glob("*/token.object")
        before, after = (int(flags).to_bytes(8, "little") for flags in (held, held | flag))
        content = file.read_bytes()
        if content.count(before) != 1:
            before, after = before[::-1], after[::-1]
        assert content.count(before) == 1
        file.write_bytes(content.replace(before, after))

    @property
    def _stored(self) -> Path:
        return self.folder / "tokens"


def soft_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    """One token with the right PIN in the environment; the module forgets it when the test is over."""
    module = next((path for path in MODULES if path.exists()), None)
    if module is None or which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 IS NOT INSTALLED: nothing about hardware tokens is tested (apt-get install softhsm2)")
    token = SoftToken(folder, str(module), folder / "softhsm2.conf")
    (folder / "tokens").mkdir()
    token.config.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    token.add()
    for name, value in token.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BOLLARD_HSM_PIN_FILE", raising=False)
    restart(token)
    yield token
    pkcs11.lib(token.module).finalize()


def _move(these: Path, there: Path) -> None:
    there.mkdir(exist_ok=True)
    for each in these.iterdir():
        each.rename(there / each.name)


def restart(token: SoftToken) -> None:
    """Have the module forget every session in this process, as a restarted token service does."""
    pkcs11.lib(token.module).reinitialize()
