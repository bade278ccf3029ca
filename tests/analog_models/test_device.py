import numpy as np
import pytest

from analog_models.device import (
    gate_voltage,
    specific_current,
    thermal_voltage,
    transconductance_efficiency,
)
from analog_models.process import GENERIC_65


def test_thermal_voltage_at_room_temperature() -> None:
    assert thermal_voltage(300) == pytest.approx(25.85e-3, abs=5e-6)


@pytest.mark.parametrize(
    ("current", "measured"), [(1e-9, 25.2), (1e-8, 24.0), (1e-7, 21.8), (1e-6, 18.2), (1e-5, 9.1)]
)
def test_gm_over_id_is_within_a_tenth_of_the_simulated_diode(current: float, measured: float) -> None:
    ic = current / specific_current(GENERIC_65, 0.2e-6, 0.2e-6, 300)
    assert transconductance_efficiency(GENERIC_65, ic, 300) == pytest.approx(measured, rel=0.1)


def test_gate_voltage_inverts_the_ekv_current() -> None:
    ic = np.geomspace(1e-3, 1e3, 50)
    voltage = gate_voltage(GENERIC_65, ic, 300)
    scale = 2 * GENERIC_65.slope_factor * thermal_voltage(300)
    current = np.log1p(np.exp((voltage - GENERIC_65.threshold_voltage) / scale)) ** 2
    np.testing.assert_allclose(current, ic, rtol=1e-9)


def test_gate_voltage_is_never_negative() -> None:
    assert gate_voltage(GENERIC_65, 1e-9, 300) == 0
