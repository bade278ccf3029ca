from typing import Any

import numpy as np
import pytest

from analog_models.codes import checked_codes, checked_whole


def test_whole_numbers_of_any_integer_type_pass() -> None:
    assert checked_whole("bank", "gain", np.uint8(7), 0, 7) == 7


@pytest.mark.parametrize("value", [-1, 8, 1.0, None])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^bank: gain must be a whole number from 0 to 7, got {value}$"):
        checked_whole("bank", "gain", value, 0, 7)


def test_codes_pass_unchanged_and_empty_ones_too() -> None:
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert checked_codes("bank", "codes", codes, 0, 5, (2, 3)) is codes
    assert checked_codes("bank", "codes", codes[:0], 0, 5, (0, 3)).size == 0


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((3, 2), int), r"codes must have shape \(2, 3\), got \(3, 2\)"),
        (np.zeros((2, 3)), r"codes must be integers, got float64"),
        (np.full((2, 3), 6), r"codes must be 0 to 5, got 6 to 6"),
    ],
)
def test_codes_that_do_not_fit_are_refused(codes: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"^bank: {message}$"):
        checked_codes("bank", "codes", codes, 0, 5, (2, 3))
