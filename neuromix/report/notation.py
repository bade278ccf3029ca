"""How numbers and names are written for people: three significant digits, grouped thousands, SI prefixes."""

import math

from matplotlib.ticker import EngFormatter

__all__ = ["back_end_label", "grouped", "percent", "significant", "with_prefix"]

BACK_END_LABELS = {
    "parallel": "parallel digital",
    "serial": "serial digital",
    "mixed_signal": "mixed-signal",
}


def grouped(count: int) -> str:
    """Write a count with its thousands apart: ``12,345``."""
    return f"{count:,}"


def significant(value: float, digits: int = 3) -> str:
    """Write ``value`` to ``digits`` significant digits, never as a power of ten: ``12,300``, ``0.0456``."""
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def percent(fraction: float, decimals: int = 1) -> str:
    """Write a fraction in percent: ``97.3 %``."""
    return f"{100 * fraction:.{decimals}f} %"


def with_prefix(value: float, unit: str, digits: int = 3) -> str:
    """Write ``value`` in SI ``unit`` with the prefix that keeps it between 1 and 1000: ``2.56 µs``."""
    if value == 0:
        return f"0 {unit}"
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))) % 3)
    return EngFormatter(unit=unit, places=decimals)(rounded)


def back_end_label(name: str) -> str:
    """Write the name of a back end in words: ``mixed-signal``."""
    return BACK_END_LABELS.get(name, name)
