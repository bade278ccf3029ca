"""What the M-2M netlist divides by when its transistors are those that the ladder's principle assumes."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.views.spice import BUILT_IN_CARD, SpiceCell, spice_netlist
from neuromix.characterize.measure import measure
from neuromix.characterize.points import Condition, Plan

PLAN = Plan(
    codes=(0, 255),
    weights=(1, 2, 4, 8, 16, 32, 63, 64, 127),
    noise_codes=(255,),
    noise_weights=(127,),
    steps=((None, 255, 127),),
)


def with_ekv(netlist: str) -> str:
    """Return ``netlist`` with ``I_S (F((V_P-V_S)/U_T) - F((V_P-V_D)/U_T))`` for each n-channel transistor.

    ``F(u) = ln^2(1 + exp(u/2))``, EKV without any second-order effect: what happens at the source and at the
    drain adds up, which is all that a current divider of transistors needs.
    """

    def source(match: re.Match[str]) -> str:
        name, drain, gate, end, bulk, width, length, rest = match.groups()
        size = [float(value.replace("u", "e-6")) for value in (width, length)]
        units = re.search(r" m=(\d+)", rest)
        current = 1.6e-6 * size[0] / size[1] * (int(units[1]) if units else 1)

        def volts(node: str) -> str:
            return "0" if node == bulk else f"v({node})" if bulk == "0" else f"v({node},{bulk})"

        def forward(node: str) -> str:
            return f"pow(ln(1+exp((({volts(gate)}-0.42)/1.3-{volts(node)})/0.05173)),2)"

        return f"b{name} {drain} {end} i={current:g}*({forward(end)}-{forward(drain)})"

    line = rf"^m(\S+) (\S+) (\S+) (\S+) (\S+) {BUILT_IN_CARD.nmos} w=(\S+) l=(\S+)(.*)$"
    return re.sub(line, source, netlist, flags=re.MULTILINE)


def levels(folder: Path) -> np.ndarray:
    """Return the node at full input for each weight of the plan [LSB]."""
    parameters = MixedSignalNeuronParameters(topology="m2m")
    condition = Condition(corner_name="tt", celsius=27)
    points = measure(SpiceCell(parameters=parameters), BUILT_IN_CARD, condition, PLAN, folder)
    full = [point.value for point in points if point.quantity == "transfer" and point.code == 255]
    return np.array(full) / parameters.node_full_scale * 127 * 256 / 255


@pytest.mark.ngspice
@pytest.mark.skipif(shutil.which("ngspice") is None, reason="no ngspice on the PATH")
def test_ladder_of_ekv_transistors_is_exact_and_that_of_bsim4_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bsim4 = levels(tmp_path)
    assert bsim4[6] > bsim4[7] + 1  # 63 above 64: not monotonic
    monkeypatch.setattr(
        "neuromix.characterize.measure.spice_netlist", lambda *x, **y: with_ekv(spice_netlist(*x, **y))
    )
    np.testing.assert_allclose(levels(tmp_path), PLAN.weights, rtol=1e-3)
