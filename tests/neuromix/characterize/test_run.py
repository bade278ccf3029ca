"""A characterization as a whole, with the real ngspice: small, but of everything something."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.process import GENERIC_65
from analog_models.views.spice import BUILT_IN_CARD, Card, SpiceCell
from neuromix.characterize.measure import measure
from neuromix.characterize.ngspice import NgspiceError
from neuromix.characterize.points import QUANTITIES, Condition, Plan
from neuromix.characterize.predict import Model, predict
from neuromix.characterize.run import Characterization, MismatchResidual, characterize
from neuromix.config import load_experiment, shipped_experiments

needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="no ngspice on the PATH")

SMALL = Plan(
    codes=(0, 85, 170, 255),
    weights=(-127, 40, 127),
    noise_codes=(16, 128, 255),
    noise_weights=(127,),
    steps=((None, 16, 127), (255, 64, 127), (64, 255, 127)),
    cells=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a folder")


@pytest.fixture(scope="module")
def found(folder: Path) -> Characterization:
    """The default neuron on the built-in card, typical at 27 degC."""
    conditions = [Condition(corner_name="tt", celsius=27)]
    return characterize(MixedSignalNeuronParameters(), BUILT_IN_CARD, conditions, folder, plan=SMALL)


@pytest.mark.ngspice
@needs_ngspice
def test_fitted_model_meets_ngspice_within_the_targets(found: Characterization) -> None:
    rows = {row.quantity: row for row in found.rows}
    for quantity in ("transfer", "activation", "settling", "noise", "energy", "energy_fast"):
        assert rows[quantity].n_held_out, f"{quantity}: nothing is held out, so the residual proves nothing"
        assert rows[quantity].verdict == "pass", rows[quantity]
    # Shot noise is in the closed form; the fit may scale it by what the card's noise model differs, no more.
    assert 1 < found.model.noise_excess < 1.6
    # The design's gate capacitance is that of a small transistor: it must show before the fit.
    assert rows["settling"].uncalibrated > 0.5


@pytest.mark.ngspice
@needs_ngspice
def test_full_cell_moves_the_node_by_its_full_scale(found: Characterization) -> None:
    p = MixedSignalNeuronParameters()
    (full,) = (x for x in found.points if (x.quantity, x.code, x.weight) == ("transfer", 255, 127))
    assert full.value == pytest.approx(p.node_full_scale * 255 / 256, rel=0.03)
    (reverse,) = (x for x in found.points if (x.quantity, x.code, x.weight) == ("transfer", 255, -127))
    assert reverse.value == pytest.approx(-full.value, rel=1e-4)


@pytest.mark.ngspice
@needs_ngspice
def test_deviation_of_drawn_units_is_that_of_pelgrom(found: Characterization) -> None:
    mismatch = found.mismatch
    assert mismatch.standard_error == pytest.approx(1 / np.sqrt(2 * 7 * 7))
    # Five standard errors of the sample, and the target beside.
    assert mismatch.measured == pytest.approx(mismatch.fitted, rel=5 * mismatch.standard_error + 0.1)
    # With the transistors drawn the sampling error is gone; what stays is the exponential, at 9 % per unit.
    np.testing.assert_allclose(mismatch.same_draw, 1, atol=0.1)


@pytest.mark.ngspice
@needs_ngspice
def test_results_decks_and_tables_stay_in_the_folder(found: Characterization, folder: Path) -> None:
    data = json.loads((folder / "characterization.json").read_text())
    assert [row["quantity"] for row in data["residuals"]] == [row.quantity for row in found.rows]
    assert len(data["points"]) == len(found.points)
    for name in (
        "cell_tt_27c.cir",
        "static_tt_27c.deck",
        "steps_tt_27c_0.txt",
        "mismatch_0.log",
        "neuron.yaml",
    ):
        assert (folder / name).is_file(), name


@pytest.mark.ngspice
@needs_ngspice
def test_card_that_ngspice_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    card = tmp_path / "card.lib"
    card.write_text(".model n65 nmos level=14 vth0=nonsense\n")
    conditions = [Condition(corner_name="tt", celsius=27)]
    with pytest.raises(NgspiceError, match=r"^ngspice: .*(nonsense|valid modelname)") as refused:
        characterize(
            MixedSignalNeuronParameters(),
            Card(path=card, nmos="n65", pmos="p65"),
            conditions,
            tmp_path,
            plan=SMALL,
        )
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.ngspice
@needs_ngspice
@pytest.mark.parametrize(("corner", "celsius"), [("tt", 27), ("ss", 0), ("ff", 85)])
@pytest.mark.parametrize("topology", ["segmented", "m2m", "c2c"])
def test_cell_transfers_as_the_model_says(topology: str, corner: str, celsius: float, tmp_path: Path) -> None:
    parameters = MixedSignalNeuronParameters(topology=topology)
    plan = Plan(
        codes=(0, 85, 170, 255),
        weights=(-127, -64, -1, 1, 2, 3, 4, 8, 15, 16, 21, 32, 63, 64, 85, 100, 127),
        noise_codes=(255,),
        noise_weights=(127,),
        steps=((None, 255, 127),),
    )
    condition = Condition(corner_name=corner, celsius=celsius)
    points = measure(SpiceCell(parameters=parameters), BUILT_IN_CARD, condition, plan, tmp_path)
    transfer = [point for point in points if point.quantity == "transfer"]
    assert len(transfer) == len(plan.codes) * len(plan.weights)
    model = Model(parameters=parameters)
    errors = np.array([predict(point, model) - point.value for point in transfer])
    # The error of a ladder of transistors and leakage at ff, 85 degC are 1.6 % of full scale at most; a wrong
    # bit from bit 2 on is 3 % or more. Capacitors have no such error, only the leakage of the node's reset.
    bound = 2e-4 if topology == "c2c" else 0.02
    assert np.abs(errors).max() < bound * parameters.node_full_scale


@pytest.mark.ngspice
@needs_ngspice
@pytest.mark.parametrize("topology", ["segmented", "m2m", "c2c"])
def test_cell_of_another_topology_is_characterized_in_full(topology: str, tmp_path: Path) -> None:
    conditions = [Condition(corner_name="tt", celsius=27)]
    parameters = MixedSignalNeuronParameters(topology=topology)
    found = characterize(parameters, BUILT_IN_CARD, conditions, tmp_path, plan=SMALL)
    rows = {row.quantity: row for row in found.rows}
    # Every quantity is compared or has a reason why not, never both.
    assert {*rows, *found.without_meaning} == {*QUANTITIES, "mismatch"}
    assert not {*rows} & {*found.without_meaning}
    for quantity in ("transfer", "activation", "noise", *({"settling"} & {*rows})):
        assert rows[quantity].n_held_out, f"{quantity}: nothing is held out, so the residual proves nothing"
        assert rows[quantity].verdict == "pass", rows[quantity]
    # The fit scales noise at rest and of the cell; by more than card and pair explain would hide an error.
    assert 1.2 < found.model.noise_rest < 1.6
    assert 0.9 < found.model.noise_excess < 1.6
    # Known misses. The model's reset takes the supply's charge of the node, an upper bound: nothing else may
    # be off by more than 3 %. And its units all match as those of least current: too badly, not too well.
    reset = parameters.node_capacitance * parameters.supply**2
    for point in found.points:
        if point.quantity in ("energy", "energy_fast"):
            excess = predict(point, found.model) - point.value
            assert -0.03 * point.value < excess < reset + 0.03 * point.value, point
    least, most = {"segmented": (0.98, 1.2), "m2m": (1.1, 1.5), "c2c": (0.99, 1.01)}[topology]
    assert least < np.mean(found.mismatch.same_draw) < most
    assert json.loads((tmp_path / "characterization.json").read_text())["topology"] == topology


def test_section_for_an_experiment_can_be_pasted_into_one(tmp_path: Path) -> None:
    found = Characterization(
        card="card.lib",
        conditions=(),
        points=(),
        model=Model(parameters=MixedSignalNeuronParameters()),
        noise_factor=2.3456789,
        residuals=(),
        mismatch=MismatchResidual(
            measured=0.1, standard_error=0.1, uncalibrated=0.1, fitted=0.1, same_draw=(1.0,) * 7, n_cells=2
        ),
    )
    experiment = yaml.safe_load(shipped_experiments()["quickstart"].read_text())
    experiment["back_ends"]["mixed_signal"] |= yaml.safe_load(found.to_yaml())["back_ends"]["mixed_signal"]
    (tmp_path / "pasted.yaml").write_text(yaml.safe_dump(experiment))
    pasted = load_experiment(tmp_path / "pasted.yaml").back_ends.mixed_signal
    assert pasted is not None
    assert pasted.neuron.noise_factor == 2.346
    assert pasted.neuron.process == GENERIC_65
