"""What the errors of a hardware token mean, and what to do about each.

A module's error is told by its name alone: no PIN, no path, no bytes.
"""

from __future__ import annotations

from typing import Final

import pkcs11
from pkcs11 import TokenFlag

from pki.errors import BollardError, ForbiddenError, InputError, NotFoundError, UnreachableError

WRONG_PIN: Final = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)
_NO_PIN: Final = (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized, pkcs11.PinTooWeak)
_CANNOT: Final = (
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.KeySizeRange,
    pkcs11.DomainParamsInvalid,
    pkcs11.FunctionNotSupported,
    pkcs11.KeyTypeInconsistent,
    pkcs11.AttributeValueInvalid,
    pkcs11.AttributeTypeInvalid,
    pkcs11.TemplateInconsistent,
)
_GONE: Final = (
    pkcs11.DeviceError,
    pkcs11.DeviceRemoved,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.TokenNotRecognised,
)
HOPELESS: Final = (*WRONG_PIN, *_NO_PIN, *_CANNOT)
"""What a second try in a new session would not mend, or would make worse."""


def check_tries(flags: TokenFlag) -> None:
    """Refuse to spend the last try of a PIN, and to try one that is locked."""
    if flags & TokenFlag.USER_PIN_LOCKED:
        raise told(pkcs11.PinLocked())
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        says = "one more wrong PIN would lock the token, so none is tried"
        advice = "Log in once with the right PIN by the token's own tools; that sets the count back."
        raise ForbiddenError("hsm.pin_last_try", says, advice)


def check_sealed(*, extractable: bool, sensitive: bool) -> None:
    """Refuse a key that the token made in such a way that it could leave, against what was asked."""
    if extractable or not sensitive:
        raise ForbiddenError(
            "hsm.exposed",
            "the token made a key that may leave it, against what was asked; it was deleted again",
            "Change the token's policy, or use another token.",
        )


def told(problem: pkcs11.PKCS11Error) -> BollardError:
    """Say in our terms what went wrong in the module."""
    name = type(problem).__name__
    if isinstance(problem, WRONG_PIN):
        return wrong_pin("is wrong")
    if isinstance(problem, _NO_PIN):
        return ForbiddenError(
            "hsm.pin_locked",
            f"the token takes no PIN: it is locked, expired or was never set ({name})",
            "Set a new user PIN with the token's own tools, as its security officer.",
        )
    if isinstance(problem, pkcs11.NoSuchKey):
        return NotFoundError(
            "hsm.key_missing",
            f"the token holds no key of the id {str(problem)[:64]}, or several",
            "Is it the right token? Restore the key from the token's own backup.",
        )
    if isinstance(problem, _CANNOT):
        return InputError(
            "hsm.kind", f"the token cannot make or use a key of this kind ({name})", "Choose another kind of key."
        )
    if isinstance(problem, _GONE):
        return UnreachableError(
            "hsm.lost", f"the token went away and did not come back ({name})", "Bring it back, then ask again."
        )
    return BollardError(
        "hsm.failed", f"the PKCS#11 module gave an error: {name}", "Look at the token's own log, then ask again."
    )


def wrong_pin(how: str) -> ForbiddenError:
    """Say that the PIN is not the token's."""
    return ForbiddenError(
        "hsm.pin_wrong",
        f"the token's PIN {how}",
        "Correct the PIN before you start Bollard again: a token locks itself after a few wrong ones.",
    )
