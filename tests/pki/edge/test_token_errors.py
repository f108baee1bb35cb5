"""Every error of a PKCS#11 module becomes one of ours, with a next step, and without a word of the module's own."""

from __future__ import annotations

import pkcs11
import pytest
from pkcs11 import TokenFlag
from pkcs11.exceptions import PKCS11Error

from pki.edge.token_errors import check_sealed, check_tries, told
from pki.errors import ForbiddenError


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (pkcs11.PinIncorrect, "hsm.pin_wrong"),
        (pkcs11.PinLenRange, "hsm.pin_wrong"),
        (pkcs11.PinLocked, "hsm.pin_locked"),
        (pkcs11.UserPinNotInitialized, "hsm.pin_locked"),
        (pkcs11.MechanismInvalid, "hsm.kind"),
        (pkcs11.KeySizeRange, "hsm.kind"),
        (pkcs11.DeviceRemoved, "hsm.lost"),
        (pkcs11.SessionHandleInvalid, "hsm.lost"),
        (pkcs11.GeneralError, "hsm.failed"),
        (pkcs11.DeviceMemory, "hsm.failed"),
        (PKCS11Error, "hsm.failed"),
    ],
)
def test_each_error_has_a_code_and_a_next_step(problem: type[PKCS11Error], code: str) -> None:
    """The module's own words are left out: nobody knows what stands in them."""
    known = told(problem("a PIN, perhaps"))

    assert known.code == code
    assert known.advice
    assert "perhaps" not in f"{known}{known.advice}"


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (TokenFlag.USER_PIN_FINAL_TRY | TokenFlag.USER_PIN_COUNT_LOW, "hsm.pin_last_try"),
        (TokenFlag.USER_PIN_LOCKED, "hsm.pin_locked"),
    ],
)
def test_the_last_try_of_a_pin_is_never_ours(flags: TokenFlag, code: str) -> None:
    """A service that is started again and again with a wrong PIN must not destroy the token."""
    with pytest.raises(ForbiddenError) as refused:
        check_tries(flags)

    assert refused.value.code == code


@pytest.mark.parametrize(("extractable", "sensitive"), [(True, True), (False, False), (True, False)])
def test_a_key_that_the_token_would_let_out_is_refused(extractable: bool, sensitive: bool) -> None:
    """Some tokens quietly overrule what is asked of them."""
    with pytest.raises(ForbiddenError, match=r"hsm\.exposed"):
        check_sealed(extractable=extractable, sensitive=sensitive)
    check_sealed(extractable=False, sensitive=True)


def test_a_token_that_counts_one_wrong_pin_may_be_tried() -> None:
    """Only the right PIN sets the count back."""
    check_tries(TokenFlag.USER_PIN_COUNT_LOW | TokenFlag.LOGIN_REQUIRED)
