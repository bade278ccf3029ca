"""Price tables: what a toggle, a clock edge, a memory access and a leaking cell cost, and who says so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pint
import yaml

__all__ = ["TABLES", "MissingPriceError", "Price", "PriceTable", "load_table"]

TABLES = Path(__file__).parent / "tables"
"""Folder of the shipped tables."""

_SCALING_UNITS = {
    "dynamic_supply_exponent": "",
    "leakage_supply_exponent": "",
    "leakage_doubling": "K",
    "sram_capacity": "bit",
    "sram_capacity_exponent": "",
}


class MissingPriceError(KeyError):
    """A table has no price for something that has to be paid."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, kw_only=True)
class Price:
    """A number with its source: energy [J], leakage [W] or a scaling rule's parameter, for one of ``per``."""

    value: float
    per: str
    source: str
    conditions: str


@dataclass(frozen=True, kw_only=True)
class PriceTable:
    """Prices of one process corner, for supply [V] and temperature [K]."""

    name: str
    title: str
    supply: float
    temperature: float
    prices: Mapping[str, Price]
    scaling: Mapping[str, Price]

    def price(self, key: str) -> float:
        """Return the price ``key`` at the table's own supply and temperature [J, or W for ``leakage_*``].

        Raises MissingPriceError.
        """
        try:
            return self.prices[key].value
        except KeyError:
            raise MissingPriceError(f"price table {self.name}: no price for {key}") from None

    def dynamic_scale(self, supply: float) -> float:
        """Return what an energy at ``supply`` [V] is, relative to the table's."""
        return float((supply / self.supply) ** self.scaling["dynamic_supply_exponent"].value)

    def leakage_scale(self, supply: float, temperature: float) -> float:
        """Return what a leakage at ``supply`` [V] and ``temperature`` [K] is, relative to the table's."""
        doublings = (temperature - self.temperature) / self.scaling["leakage_doubling"].value
        return float((supply / self.supply) ** self.scaling["leakage_supply_exponent"].value * 2**doublings)

    def sram_scale(self, n_bits: int) -> float:
        """Return what an access to one bit of a memory of ``n_bits`` costs, relative to the table's."""
        return float(
            (n_bits / self.scaling["sram_capacity"].value) ** self.scaling["sram_capacity_exponent"].value
        )


def load_table(name: str | Path) -> PriceTable:
    """Read a shipped table by name (``ptm65-gp``) or any table by path.

    Raises ValueError with ``file:line: key: ...`` for every mistake in the file.
    """
    path = Path(name) if str(name).endswith((".yaml", ".yml")) else TABLES / f"{name}.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(table.stem for table in TABLES.glob("*.yaml")))
        raise ValueError(f"price table must be a YAML file or one of {shipped}, got {name}")
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: price table must be YAML, got {error}") from error
    reader = _Reader(path)
    top = reader.mapping(node, "table", required=("title", "supply", "temperature", "prices", "scaling"))
    table = PriceTable(
        name=path.stem,
        title=reader.text(top.get("title"), "title"),
        supply=reader.quantity(top.get("supply"), "supply", "V"),
        temperature=reader.quantity(top.get("temperature"), "temperature", "K"),
        prices=dict(reader.prices(top.get("prices"))),
        scaling=dict(reader.scaling(top.get("scaling"))),
    )
    if reader.problems:
        raise ValueError("\n".join(reader.problems))
    return table


class _Reader:
    """Reads YAML nodes, whose lines are known, and collects what is wrong with them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[str] = []

    def mapping(
        self, node: yaml.Node | None, where: str, required: tuple[str, ...] | None = None
    ) -> dict[str, yaml.Node]:
        """Return the entries; with ``required``, just these keys must be there, all of them."""
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, f"{where}: must be a mapping")
            return {}
        entries = {str(key.value): value for key, value in node.value}
        if required is not None:
            for key in sorted(set(required) - set(entries)):
                self._wrong(node, f"{where}: {key} must be given, got nothing")
            for key in sorted(set(entries) - set(required)):
                self._wrong(entries.pop(key), f"{where}: {key} must be one of {', '.join(required)}")
        return entries

    def prices(self, node: yaml.Node | None) -> Iterator[tuple[str, Price]]:
        for key, entry in self.mapping(node, "prices").items():
            yield key, self._price(entry, f"prices.{key}", "W" if key.startswith("leakage_") else "J")

    def scaling(self, node: yaml.Node | None) -> Iterator[tuple[str, Price]]:
        for key, entry in self.mapping(node, "scaling", required=tuple(_SCALING_UNITS)).items():
            yield key, self._price(entry, f"scaling.{key}", _SCALING_UNITS[key])

    def _price(self, node: yaml.Node, where: str, unit: str) -> Price:
        entry = self.mapping(node, where, required=("value", "per", "source", "conditions"))
        return Price(
            value=self.quantity(entry.get("value"), f"{where}.value", unit),
            per=self.text(entry.get("per"), f"{where}.per"),
            source=self.text(entry.get("source"), f"{where}.source"),
            conditions=self.text(entry.get("conditions"), f"{where}.conditions"),
        )

    def text(self, node: yaml.Node | None, where: str) -> str:
        if node is None:
            return ""
        if isinstance(node, yaml.ScalarNode) and node.value.strip():
            return str(node.value).strip()
        self._wrong(node, f"{where}: must be a text, got nothing")
        return ""

    def quantity(self, node: yaml.Node | None, where: str, unit: str) -> float:
        if node is None:
            return 0.0
        example = f"quantity in {unit}" if unit else "number"
        try:
            value = float(pint.Quantity(self.text(node, where)).to(unit).magnitude)
        except (pint.PintError, ValueError, TypeError, AttributeError):
            self._wrong(node, f"{where}: must be a {example}, got {node.value}")
            return 0.0
        if value < 0:
            self._wrong(node, f"{where}: must be at least 0, got {node.value}")
        return value

    def _wrong(self, node: yaml.Node | None, what: str) -> None:
        line = node.start_mark.line + 1 if node is not None else 1
        self.problems.append(f"{self._path}:{line}: {what}")
