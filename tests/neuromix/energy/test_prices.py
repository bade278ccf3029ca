"""Price tables: complete, sourced, scaled as they say, and derived as they say."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from neuromix.energy.netlist import NET_CLASSES
from neuromix.energy.prices import TABLES, MissingPriceError, PriceTable, load_table

approx = partial(pytest.approx, rel=1e-6, abs=0)  # the default, abs=1e-12, would pass any small joules

SHIPPED = sorted(path.stem for path in TABLES.glob("*.yaml"))


@pytest.fixture(params=SHIPPED)
def table(request: pytest.FixtureRequest) -> PriceTable:
    return load_table(request.param)


def expected_toggles(words: np.ndarray, width: int) -> float:
    """Mean number of output bits that differ between two independent, uniformly drawn results."""
    ones = np.array([((words >> bit) & 1).mean() for bit in range(width)])
    return float((2 * ones * (1 - ones)).sum())


def test_general_purpose_and_low_power_tables_are_shipped() -> None:
    assert SHIPPED == ["ptm65-gp", "ptm65-lp"]


def test_every_price_has_a_source_and_conditions(table: PriceTable) -> None:
    entries = {**table.prices, **table.scaling}
    assert len(entries) > 20
    for key, price in entries.items():
        assert all((price.source, price.conditions, price.per)), key


def test_every_net_class_but_the_clock_has_a_price(table: PriceTable) -> None:
    for name in NET_CLASSES:
        if name != "clock":
            table.price(name)


def test_a_missing_price_names_key_and_table(table: PriceTable) -> None:
    with pytest.raises(MissingPriceError, match=rf"^price table {table.name}: no price for phlogiston$"):
        table.price("phlogiston")


def test_multiplier_price_is_the_energy_of_a_multiplication_over_its_toggles(table: PriceTable) -> None:
    codes = np.arange(256)
    toggles = expected_toggles(np.multiply.outer(codes, codes), 16)
    assert toggles == approx(7.4432, abs=5e-5)
    assert table.price("multiplier") == approx(0.56e-12 / toggles, rel=1e-4)


@pytest.mark.parametrize(("a_width", "b_width"), [(4, 4), (8, 4), (8, 12)])
def test_multiplier_toggles_grow_with_the_sum_of_the_widths(a_width: int, b_width: int) -> None:
    # The rule for other widths assumes toggles in proportion to product bits; it holds to 10 %.
    products = np.multiply.outer(np.arange(1 << a_width), np.arange(1 << b_width))
    toggles = expected_toggles(products, a_width + b_width)
    assert toggles == approx(7.4432 * (a_width + b_width) / 16, rel=0.1)


def test_adder_price_is_a_full_adder_over_the_toggles_of_a_sum_bit(table: PriceTable) -> None:
    codes = np.arange(256)
    per_bit = expected_toggles(np.add.outer(codes, codes), 9) / 9
    assert per_bit == approx(0.5, abs=1e-4)
    assert table.price("adder") == approx(4.8e-15 / per_bit, rel=1e-3)


def test_prices_follow_from_their_sources(table: PriceTable) -> None:
    full_adder, wire = 4.8e-15, 20 * 0.265e-15
    assert table.price("register") == approx((11e-15 - 5.4e-15) / 0.5)
    assert table.price("comparator") == approx(full_adder)
    assert table.price("logic") == approx(full_adder / (28 / 4 * 0.5), rel=1e-3)
    assert table.price("register_file") == table.price("logic")
    assert table.price("wire") == approx(wire / 2)
    assert table.price("clock_wire") == approx(wire)
    assert table.price("sram_read") == approx(10e-12 / 64 * (65 / 45) * (1.0 / 0.9) ** 2, rel=1e-3)
    assert table.price("sram_write") == table.price("sram_read")


def test_low_power_differs_only_in_leakage_by_the_ratio_of_off_currents() -> None:
    general, low = load_table("ptm65-gp"), load_table("ptm65-lp")
    assert general.prices.keys() == low.prices.keys()
    assert general.scaling == low.scaling
    assert general.price("leakage_sram_bit") == approx(0.27 * 49e-9 + 0.1 * 33e-9, rel=2e-2)
    for key in general.prices:
        ratio = 50 / 0.1 if key.startswith("leakage_") else 1
        assert general.price(key) == approx(ratio * low.price(key)), key


def test_scaling_follows_supply_temperature_and_capacity(table: PriceTable) -> None:
    assert table.dynamic_scale(table.supply) == 1
    assert table.dynamic_scale(table.supply / 2) == approx(0.25)
    assert table.leakage_scale(table.supply, table.temperature) == 1
    assert table.leakage_scale(table.supply, table.temperature + 54) == approx(4)
    assert table.sram_scale(8192 * 8) == 1
    assert table.sram_scale(8192 * 2) == approx(0.5)


def test_all_mistakes_of_a_table_are_reported_with_their_lines(tmp_path: Path) -> None:
    lines = (TABLES / "ptm65-gp.yaml").read_text().splitlines()
    wrong = [
        (next(i for i, line in enumerate(lines) if "value: 11.2 fJ" in line), "    value: 11.2 nW"),
        (next(i for i, line in enumerate(lines) if "value: 9.6 fJ" in line), "    value: -9.6 fJ"),
        (next(i for i, line in enumerate(lines) if "value: 14 nW" in line), "    worth: 14 nW"),
    ]
    for index, line in wrong:
        lines[index] = line
    path = tmp_path / "wrong.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared below
        load_table(path)
    unit, negative, misspelt = (index + 1 for index, _ in wrong)
    assert str(caught.value).splitlines() == [
        f"{path}:{unit}: prices.register.value: must be a quantity in J, got 11.2 nW",
        f"{path}:{negative}: prices.adder.value: must be at least 0, got -9.6 fJ",
        f"{path}:{misspelt}: prices.leakage_nand2: value must be given, got nothing",
        f"{path}:{misspelt}: prices.leakage_nand2: worth must be one of value, per, source, conditions",
    ]


def test_an_unknown_table_is_told_which_ones_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of ptm65-gp, ptm65-lp, got ptm28$"):
        load_table("ptm28")
