import pytest

from neuromix.report.notation import back_end_label, grouped, percent, significant, with_prefix


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12_345, "12,300"),
        (999.6, "1,000"),
        (45.67, "45.7"),
        (1, "1.00"),
        (0.045_67, "0.0457"),
        (-2.5, "-2.50"),
        (2.5e-9, "0.00000000250"),
    ],
)
def test_three_digits_are_kept_without_powers_of_ten(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "s", "0 s"),
        (100e6, "Hz", "100 MHz"),
        (2.56e-6, "s", "2.56 µs"),
        (0.0316e-3, "V", "31.6 µV"),
        (999.9e6, "Hz", "1.00 GHz"),
        (0.5, "V", "500 mV"),
        (-0.25, "V", "−250 mV"),
    ],
)
def test_si_prefix_keeps_the_number_short(value: float, unit: str, text: str) -> None:
    assert with_prefix(value, unit) == text


def test_counts_shares_and_names_read_as_text() -> None:
    assert grouped(1_234_567) == "1,234,567"
    assert percent(0.9733) == "97.3 %"
    assert percent(0.9733, 0) == "97 %"
    assert back_end_label("mixed_signal") == "mixed-signal"
