"""The firmware part of the story: what is signed arrives byte for byte, what is not never leaves."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Final

from cli.demo.papers import make_ca, make_leaf, sign_image, subject
from cli.demo.world import MODEL, VENDOR, World
from pki.errors import BollardError

if TYPE_CHECKING:
    from cli.demo.child import Fact

IMAGE_BYTES: Final = 1_500_000
ELSEWHERE: Final = "https://updates.manufacturer.example/firmware.bin"  # where the CSMS believes the image lies
CLAIM: Final = ("--vendor", VENDOR, "--model", MODEL, "--version", "2.0")
PROOF: Final = ("--signature", "firmware.sig", "--certificate", "signer.pem")


def image_is_signed(world: World) -> str:
    """Trust a manufacturer, and import an image that it signed."""
    manufacturer = make_ca(VENDOR, "Demo Vendor Root")
    certificate, key = make_leaf(manufacturer, subject(VENDOR, "Demo Vendor Firmware"), signs_code=True)
    image = random.Random(7).randbytes(IMAGE_BYTES)  # noqa: S311 - an image to carry, not a secret
    (world.folder / "manufacturer.pem").write_bytes(manufacturer.pem())
    (world.folder / "firmware.bin").write_bytes(image)
    (world.folder / "signer.pem").write_bytes(certificate)
    (world.folder / "firmware.sig").write_text(sign_image(image, key))
    world.bollard("ca", "trust", "add", "manufacturer.pem", "--purpose", "firmware", "--vendor", VENDOR)
    world.bollard("firmware", "import", "firmware.bin", *CLAIM, *PROOF)
    return f"{IMAGE_BYTES} bytes, signed by a certificate directly under the manufacturer's root"


def tampered_image(world: World) -> str:
    """Flip one bit and try again."""
    image = bytearray((world.folder / "firmware.bin").read_bytes())
    image[IMAGE_BYTES // 2] ^= 1
    (world.folder / "tampered.bin").write_bytes(image)
    words = ("firmware", "import", "tampered.bin", *CLAIM, *PROOF)
    says = world.bollard(*words, exits=5)
    if "sig.bad" not in says:
        raise BollardError("demo.finding", "the refusal does not name sig.bad", says[:600])
    return "one flipped bit, exit code 5, finding sig.bad"


def update_16(world: World) -> str:
    """Have the CSMS send ``SignedUpdateFirmware``."""
    return _update(world, "CP-001", "SignedUpdateFirmware", 16)


def update_201(world: World) -> str:
    """Have the CSMS send ``UpdateFirmware`` with certificate and signature."""
    return _update(world, "CP-002", "UpdateFirmware", 201)


def _update(world: World, identity: str, action: str, request: int) -> str:
    station = world.children[identity.lower()]
    signed = {"signingCertificate": _text(world, "signer.pem"), "signature": _text(world, "firmware.sig")}
    answer = world.csms_sends(identity, action, _payload(request, signed))
    if answer.get("answer") != {"status": "Accepted"}:
        raise BollardError("demo.update", f"{identity} answered {answer}"[:600], station.last_words())
    end = station.wait_for("installed", lambda fact: "installed" in fact or "failed" in fact)
    if "failed" in end:
        raise BollardError("demo.update", f"{identity} could not install: {end['failed']}"[:600], station.last_words())
    if (world.folder / f"{identity.lower()}.bin").read_bytes() != (world.folder / "firmware.bin").read_bytes():
        raise BollardError("demo.image", f"{identity} installed other bytes than were imported")
    heard = next(text for text in station.texts("heard") if f'"{action}"' in text)
    if ELSEWHERE in heard or f"https://localhost:{world.ports['web']}/" not in heard:
        raise BollardError("demo.location", "the station was sent to another place than ours", heard[:600])
    return f"fetched from our own server, signature verified by the station, {IMAGE_BYTES} bytes the same"


def unsigned_update(world: World) -> str:
    """Have the CSMS send updates without a signature, in both versions."""
    world.new_events()  # the two that were cleared
    answers = [
        world.csms_sends("CP-002", "UpdateFirmware", _payload(99, {})),
        world.csms_sends("CP-001", "UpdateFirmware", {"location": ELSEWHERE, "retrieveDate": _now()}),
    ]
    for name in ("cp-001", "cp-002"):
        if any(ELSEWHERE in text for text in world.children[name].texts("heard")):
            raise BollardError(
                "demo.delivered", f"{name} heard of an unsigned update", world.children[name].last_words()
            )
    causes = [event["cause"] for event in world.new_events()]
    if causes != ["firmware.unsigned"] * 2:
        raise BollardError("demo.events", f"two events firmware.unsigned were expected, there were {causes}")
    told = [_word(answer) for answer in answers]
    return f"the CSMS was told {told[0]} (2.0.1) and {told[1]} (1.6), two events firmware.unsigned"


def _payload(request: int, signed: dict[str, str]) -> Fact:
    return {"requestId": request, "firmware": {"location": ELSEWHERE, "retrieveDateTime": _now(), **signed}}


def _word(answer: Fact) -> str:
    result = answer.get("answer")
    return str(result["status"] if isinstance(result, dict) else answer.get("error"))


def _text(world: World, name: str) -> str:
    return (world.folder / name).read_text()


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
