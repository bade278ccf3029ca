"""What ngspice measures on the cell: decks for one condition, and their results as points.

A point is one number: a voltage, time, noise power or energy of the cell at an input code and a weight. The
decks, the netlists they include and ngspice's tables stay in the folder.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analog_models.mdac import INPUT_LEVELS, MAGNITUDE_BITS, WEIGHT_MAX
from analog_models.views.spice import Card, SpiceCell, spice_netlist

from .ngspice import NgspiceError, read_table, run_deck
from .points import Condition, Plan, Point, Quantity
from .predict import at_condition, settling_horizon, settling_time

__all__ = ["MismatchSample", "measure", "measure_mismatch", "operation_energy"]

_EDGE = 1e-9  # when a step happens [s]
_RISE = 1e-11
_RESET_TIME = 50e-9  # long enough for the switches to recharge the node
_NOISE_BAND = "1k 100g"  # Hz
_DEVICE_POINTS = 33
_SETTINGS = (
    "set num_threads=1",  # its own default is 2, whatever OpenMP is told; 400 times slower on a busy machine
    "set wr_singlescale",
    "set numdgt=10",
)
_STEPS = 1000  # at least, of a transient


@dataclass(frozen=True, kw_only=True, eq=False)
class MismatchSample:
    """Cells with drawn transistors: threshold shifts [V] and relative current factors ``[cell, unit]``, and
    what ngspice made of them, the relative error of each bit's current ``[cell, bit]``."""

    threshold: NDArray[np.float64]
    factor: NDArray[np.float64]
    bit_error: NDArray[np.float64]


def measure(cell: SpiceCell, card: Card, condition: Condition, plan: Plan, folder: Path) -> list[Point]:
    """Return all points of ``condition``. Raises NgspiceNotFoundError or NgspiceError."""
    netlist = folder / f"cell_{condition.corner_name}.cir"
    netlist.write_text(spice_netlist(cell, card, corner=condition.corner))
    points = _device(cell, card, condition, folder)
    points += _static(cell, card, condition, plan, folder, netlist)
    return points + _steps(cell, card, condition, plan, folder, netlist)


def measure_mismatch(
    cell: SpiceCell, card: Card, condition: Condition, n_cells: int, rng: np.random.Generator, folder: Path
) -> MismatchSample:
    """Draw every unit transistor of ``n_cells`` cells and measure each bit's current at full input."""
    p = cell.parameters
    supply = condition.corner.design(p).supply
    root_area = math.sqrt(p.unit_width * p.unit_length)
    threshold = rng.normal(0, p.process.a_vt / root_area, (n_cells, WEIGHT_MAX))
    factor = rng.normal(0, p.process.a_beta / root_area, (n_cells, WEIGHT_MAX))
    (folder / "nominal.cir").write_text(spice_netlist(cell, card, corner=condition.corner))
    text = "".join(
        spice_netlist(cell, card, corner=condition.corner, unit_shifts=(threshold[k], factor[k])).replace(
            "neuron_cell", f"cell_{k}"
        )
        for k in range(n_cells)
    )
    (folder / "drawn.cir").write_text(text)
    names = ["neuron_cell", *(f"cell_{k}" for k in range(n_cells))]
    instances = "".join(
        f"ibias{k} 0 bias{k} {p.pair_current / 2:.9g}\n"
        f"iin{k} vdd axon{k} {cell.input_current(INPUT_LEVELS):.9g}\n"
        f"x{k} vdd axon{k} wp{k} wn{k} vdd vdd bias{k} reset reset_b {' '.join(cell.gates)} {name}\n"
        for k, name in enumerate(names)
    )
    control = []
    for bit in range(MAGNITUDE_BITS):
        control += [*_select(cell, supply, 1 << bit), "op"]
        for k in range(len(names)):
            control += [f"let signal = v(wn{k},wp{k})", "echo $&signal >> mismatch.txt"]
    deck = _deck(
        card,
        condition,
        "drawn cells",
        [folder / "nominal.cir", folder / "drawn.cir"],
        _switches(cell, supply) + instances,
        control,
    )
    (folder / "mismatch.txt").unlink(missing_ok=True)
    _run(folder / "mismatch.deck", deck)
    signal = read_table(folder / "mismatch.txt", 1).reshape(MAGNITUDE_BITS, len(names))
    return MismatchSample(threshold=threshold, factor=factor, bit_error=(signal[:, 1:] / signal[:, :1] - 1).T)


def _device(cell: SpiceCell, card: Card, condition: Condition, folder: Path) -> list[Point]:
    """A unit transistor as diode, from the smallest current of the cell to strong inversion."""
    p = cell.parameters
    low = math.log(p.unit_current / INPUT_LEVELS)
    high = math.log(10 * p.unit_current / p.unit_ic)
    circuit = (
        f"vlog log 0 0\nbin vdd d i=exp(v(log))\nvdd vdd 0 1\n"
        f"mu d d 0 0 {card.nmos} w={p.unit_width:.6g} l={p.unit_length:.6g} "
        f"delvto={condition.corner.threshold_shift:.6g} mulu0={condition.corner.mobility_factor:.6g}\n"
    )
    step = (high - low) / (_DEVICE_POINTS - 1)
    name = f"device_{condition.name}"
    control = [f"dc vlog {low:.9g} {high + step / 2:.9g} {step:.9g}", f"wrdata {name}.txt v(d)"]
    _run(folder / f"{name}.deck", _deck(card, condition, "unit transistor", [], circuit, control))
    log_current, voltage = read_table(folder / f"{name}.txt", 2)
    return [
        Point(quantity="device", condition=condition, current=math.exp(x), value=float(v), fitted=k % 2 == 0)
        for k, (x, v) in enumerate(zip(log_current, voltage, strict=True))
    ]


def _static(
    cell: SpiceCell, card: Card, condition: Condition, plan: Plan, folder: Path, netlist: Path
) -> list[Point]:
    """Transfer, activation and noise."""
    name = f"static_{condition.name}"
    supply = condition.corner.design(cell.parameters).supply
    step = plan.codes[1] - plan.codes[0]
    sweep = " ".join(f"{cell.input_current(x):.9g}" for x in (plan.codes[0], plan.codes[-1] + step / 2, step))
    control = []
    for weight in plan.weights:
        control += [
            *_select(cell, supply, weight),
            f"dc iin {sweep}",
            f"wrdata {name}_w{weight}.txt v(n,p) i(voutp)-i(voutn)",
        ]
    noise = folder / f"{name}_noise.txt"
    noise.unlink(missing_ok=True)
    for weight in plan.noise_weights:
        control += _select(cell, supply, weight)
        for code in plan.noise_codes:
            control += [
                f"alter iin dc={cell.input_current(code):.9g}",
                f"noise v(n,p) iin dec 10 {_NOISE_BAND}",
                f"echo {code} {weight} $&onoise_total >> {noise.name}",
            ]
    _run(
        folder / f"{name}.deck",
        _deck(card, condition, "transfer and noise", [netlist], _bench(cell, supply), control),
    )
    points = []
    for index, weight in enumerate(plan.weights):
        _, node, output = read_table(folder / f"{name}_w{weight}.txt", 3)
        for code, volts, current in zip(plan.codes, node, output, strict=True):
            point = Point(
                quantity="transfer",
                condition=condition,
                code=code,
                weight=weight,
                value=float(volts),
                fitted=index % 2 == 0,
            )
            ratio = float(current) / cell.parameters.pair_current
            points += [point, replace(point, quantity="activation", value=ratio)]
    table = read_table(noise, 3).T
    points += [
        Point(
            quantity="noise",
            condition=condition,
            code=int(code),
            weight=int(weight),
            value=float(rms) ** 2,
            fitted=k % 2 == 0,
        )
        for k, (code, weight, rms) in enumerate(table)
    ]
    return points


def _steps(
    cell: SpiceCell, card: Card, condition: Condition, plan: Plan, folder: Path, netlist: Path
) -> list[Point]:
    """Settling after each step of the input code; energy of the operations that start from reset."""
    model = at_condition(cell.parameters, condition)
    supply = model.supply
    name = f"steps_{condition.name}"
    control = []
    for index, (before, code, weight) in enumerate(plan.steps):
        end = _EDGE + settling_horizon(model, code)
        start = cell.input_current(code if before is None else before)
        reset = supply if before is None else 0.0
        control += [
            *_select(cell, supply, weight),
            f"alter iin dc={start:.9g}",
            f"alter @iin[pwl] = [ {_edges(start, cell.input_current(code))} ]",
            f"alter vreset dc={reset:g}",
            f"alter @vreset[pwl] = [ {_edges(reset, 0, end, supply)} ]",
            f"alter vresetb dc={supply - reset:g}",
            f"alter @vresetb[pwl] = [ {_edges(supply - reset, supply, end, 0)} ]",
            f"tran {end / _STEPS:.6g} {end + _RESET_TIME:.9g}",
            f"wrdata {name}_{index}.txt v(n,p) i(vdd)",
        ]
    _run(folder / f"{name}.deck", _deck(card, condition, "steps", [netlist], _bench(cell, supply), control))
    settled, operations = [], []
    for index, (before, code, weight) in enumerate(plan.steps):
        time, node, drawn = read_table(folder / f"{name}_{index}.txt", 3)
        end = float(time[-1]) - _RESET_TIME
        evaluating = time <= end
        duration = settling_time(time[evaluating] - _EDGE, node[evaluating], cell.parameters.lsb() / 2)
        late = np.interp([0.7 * end, end], time, node)
        if duration > 0.7 * end or abs(late[1] - late[0]) > cell.parameters.lsb() / 8:
            raise NgspiceError(
                f"ngspice: {folder / name}_{index}.txt must settle before {end:g} s, got {duration:g} s"
            )
        point = Point(
            quantity="settling",
            condition=condition,
            code=code,
            weight=weight,
            before=before,
            value=duration,
            fitted=index % 2 == 0,
        )
        settled.append(point)
        if before is None:
            operations.append((point, time, -supply * drawn, end))
    slowest = max((point.value for point, *_ in operations), default=0.0)
    for point, time, power, end in operations:
        quantities: dict[Quantity, float] = {"energy": slowest, "energy_fast": point.value}
        for quantity, duration in quantities.items():
            joules = operation_energy(time - _EDGE, power, duration, end - _EDGE)
            settled.append(replace(point, quantity=quantity, time=duration, value=joules, fitted=False))
    return settled


def operation_energy(
    time: NDArray[np.float64], power: NDArray[np.float64], duration: float, end: float
) -> float:
    """Return the joules of an evaluation of ``duration`` from time 0, and of the reset after it.

    In the record the evaluation ends at ``end``, settled, and the reset lasts to the end: what it draws above
    rest recharges the node. A longer evaluation goes on with the power of the settled cell.
    """
    stop = min(duration, end)
    grid = np.unique(np.concatenate([time[(time > 0) & (time < stop)], [0.0, stop]]))
    evaluation = np.trapezoid(np.interp(grid, time, power), grid)
    settled = float(np.interp(end, time, power)) * max(0.0, duration - end)
    reset = time >= end + 2 * _RISE
    return float(evaluation + settled + np.trapezoid(power[reset] - power[-1], time[reset]))


def _switches(cell: SpiceCell, supply: float) -> str:
    """Supply, resets and the gates of all switches."""
    gates = "".join(f"v{gate} {gate} 0 0\n" for gate in cell.gates)
    return (
        f"vdd vdd 0 {supply:g}\nvreset reset 0 dc 0 pwl(0 0)\n"
        f"vresetb reset_b 0 dc {supply:g} pwl(0 {supply:g})\n{gates}"
    )


def _bench(cell: SpiceCell, supply: float) -> str:
    """The cell with its input current and sensed outputs."""
    return (
        f"{_switches(cell, supply)}iin vdd axon dc 0 ac 1 pwl(0 0)\nvoutp vdd outp 0\nvoutn vdd outn 0\n"
        f"ibias 0 bias {cell.parameters.pair_current / 2:.9g}\n"
        f"x0 vdd axon p n outp outn bias reset reset_b {' '.join(cell.gates)} neuron_cell\n"
    )


def _select(cell: SpiceCell, supply: float, weight: int) -> list[str]:
    """Control lines that set the weight."""
    on = cell.selected(weight)
    return [f"alter v{gate} dc={supply if gate in on else 0:g}" for gate in cell.gates]


def _edges(first: float, second: float, end: float | None = None, third: float = 0.0) -> str:
    """Corners of a piecewise linear source: ``second`` from the edge on, ``third`` from ``end`` on."""
    corners = [(0, first), (_EDGE, first), (_EDGE + _RISE, second)]
    if end is not None:
        corners += [(end, second), (end + _RISE, third)]
    return " ".join(f"{time:.9g} {value:.9g}" for time, value in corners)


def _deck(
    card: Card,
    condition: Condition,
    title: str,
    netlists: Sequence[Path],
    circuit: str,
    control: Sequence[str],
) -> str:
    includes = "".join(f'.include "{path}"\n' for path in (card.path.absolute(), *(n.name for n in netlists)))
    commands = "\n".join([*_SETTINGS, *control, "quit 0"])
    return (
        f"{title}, {condition.name}\n{includes}.temp {condition.celsius:g}\n{circuit}"
        f".control\n{commands}\n.endc\n.end\n"
    )


def _run(path: Path, deck: str) -> None:
    path.write_text(deck)
    run_deck(path)
