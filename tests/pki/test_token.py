"""A token is shown once, kept as a hash, and told from every other; nobody learns from a wrong one who has any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import ForbiddenError
from pki.token import RANDOM_BYTES, check_token, hash_token, write_token

TOKEN = write_token(bytes(range(RANDOM_BYTES)))


def test_a_token_is_its_random_bytes_in_letters_that_a_header_takes() -> None:
    """192 bits in 32 characters, none of which ends a user name (RFC 7617 2)."""
    assert TOKEN == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
    assert ":" not in TOKEN
    with pytest.raises(ValueError, match="24 random bytes"):
        write_token(b"few")


def test_the_right_token_gives_the_hash_that_is_kept() -> None:
    """The evidence names the token that was shown, so that this very one is spent."""
    assert check_token(TOKEN, hash_token(TOKEN)) == hash_token(TOKEN)


@given(st.text(max_size=80).filter(lambda text: text != TOKEN))
def test_no_other_text_is_the_token(offered: str) -> None:
    """Nor anything at all where none is kept, not even what hashes to the stand-in."""
    for kept in (hash_token(TOKEN), None):
        with pytest.raises(ForbiddenError, match=r"est\.credentials"):
            check_token(offered, kept)


def test_every_refusal_reads_the_same() -> None:
    """Whether a station exists, has no token or another one."""
    said = set()
    for kept in (None, hash_token("another"), bytes(32)):
        with pytest.raises(ForbiddenError) as refused:
            check_token(TOKEN, kept)
        said.add((refused.value.code, refused.value.cause, refused.value.advice))

    assert len(said) == 1
