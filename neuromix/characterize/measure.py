"""What ngspice measures on the cell: decks for one condition, and their results as points.

A point is one number: a voltage, time, noise power or energy of the cell at an input code and a weight. The
decks, the netlists they include and ngspice's tables stay in the folder. In every deck the voltage of node
``code`` is the input code, whatever the cell's input is. A cell of capacitors has no operating point: where
the others are swept, it is reset and then led through the codes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analog_models.mdac import INPUT_LEVELS, MAGNITUDE_BITS
from analog_models.mismatch import capacitor_sigma
from analog_models.views.spice import Card, SpiceCell, spice_netlist

from .ngspice import NgspiceError, read_table, run_deck
from .points import Condition, Plan, Point, Quantity
from .predict import at_condition, settling_horizon, settling_time

__all__ = ["MismatchSample", "measure", "measure_mismatch", "operation_energy"]

_EDGE = 1e-9  # when a step happens [s]
_RISE = 1e-11
_GUARD = 2e-11  # the code comes so much after the end of the reset [s]
_RESET_TIME = 50e-9  # long enough for the switches to recharge the node
_NOISE_BAND = "1k 100g"  # Hz
_DEVICE_POINTS = 33
_SETTINGS = (
    "set num_threads=1",  # its own default is 2, whatever OpenMP is told; 400 times slower on a busy machine
    "set wr_singlescale",
    "set numdgt=10",
)
_CELLS_PER_DECK = 10  # drawn: the time of a deck grows faster than its cells
_STEPS = 1000  # at least, of a transient
_DWELL = 20  # time constants of the node that a settled cell is given at each code of a sweep


@dataclass(frozen=True, kw_only=True, eq=False)
class MismatchSample:
    """Cells with drawn units: threshold shifts [V] and relative current factors ``[cell, unit]``, the latter
    of capacitors the capacitance, and what ngspice made of them, the relative error of each bit
    ``[cell, bit]``."""

    threshold: NDArray[np.float64]
    factor: NDArray[np.float64]
    bit_error: NDArray[np.float64]


def measure(cell: SpiceCell, card: Card, condition: Condition, plan: Plan, folder: Path) -> list[Point]:
    """Return all points of ``condition``. Raises NgspiceNotFoundError or NgspiceError."""
    points = [] if cell.is_charge else _device(cell, card, condition, folder)
    cell = SpiceCell(parameters=at_condition(cell.parameters, condition))
    netlist = folder / f"cell_{condition.name}.cir"
    netlist.write_text(spice_netlist(cell, card, corner=condition.corner))
    points += _static(cell, card, condition, plan, folder, netlist)
    return points + _steps(cell, card, condition, plan, folder, netlist)


def measure_mismatch(
    cell: SpiceCell, card: Card, condition: Condition, n_cells: int, rng: np.random.Generator, folder: Path
) -> MismatchSample:
    """Draw every unit of ``n_cells`` cells and measure each bit at full input."""
    cell = SpiceCell(parameters=at_condition(cell.parameters, condition))
    p = cell.parameters
    shape = (n_cells, p.cell.n_units)
    if cell.is_charge:
        threshold = np.zeros(shape)
        factor = rng.normal(0, capacitor_sigma(p.process, p.ladder_capacitance), shape)
    else:
        root_area = math.sqrt(p.unit_width * p.unit_length)
        threshold = rng.normal(0, p.process.a_vt / root_area, shape)
        factor = rng.normal(0, p.process.a_beta / root_area, shape)
    (folder / "nominal.cir").write_text(spice_netlist(cell, card, corner=condition.corner))
    bit_error = [
        _drawn_bits(
            cell,
            card,
            condition,
            threshold[first : first + _CELLS_PER_DECK],
            factor[first : first + _CELLS_PER_DECK],
            folder / f"mismatch_{first}",
        )
        for first in range(0, n_cells, _CELLS_PER_DECK)
    ]
    return MismatchSample(threshold=threshold, factor=factor, bit_error=np.concatenate(bit_error))


def _drawn_bits(
    cell: SpiceCell,
    card: Card,
    condition: Condition,
    threshold: NDArray[np.float64],
    factor: NDArray[np.float64],
    stem: Path,
) -> NDArray[np.float64]:
    """Return the relative error of each bit ``[cell, bit]`` of drawn cells beside the nominal one."""
    names = ["neuron_cell", *(f"cell_{k}" for k in range(len(threshold)))]
    drawn = stem.with_suffix(".cir")
    drawn.write_text(
        "".join(
            spice_netlist(cell, card, corner=condition.corner, unit_shifts=(volts, relative)).replace(
                "neuron_cell", name
            )
            for name, volts, relative in zip(names[1:], threshold, factor, strict=True)
        )
    )
    instances = "".join(
        f"ibias{k} 0 bias{k} {cell.parameters.pair_current / 2:.9g}\n"
        f"{cell.input_dac(f'axon{k}')}"
        f"x{k} vdd axon{k} wp{k} wn{k} vdd vdd bias{k} reset reset_b {' '.join(cell.gates)} {name}\n"
        for k, name in enumerate(names)
    )
    table = stem.with_suffix(".txt")
    table.unlink(missing_ok=True)
    control = []
    for bit in range(MAGNITUDE_BITS):
        control += [*_select(cell, 1 << bit), *_sweep(cell, (INPUT_LEVELS,))[0]]
        for k in range(len(names)):
            control += [
                f"let settled = vecmax(v(wn{k},wp{k}))",  # of one point, or of a rise to the end
                f"echo $&settled >> {table.name}",
            ]
    netlists = [stem.with_name("nominal.cir"), drawn]
    _run(
        stem.with_suffix(".deck"),
        _deck(card, condition, "drawn cells", netlists, _switches(cell) + instances, control),
    )
    signal = read_table(table, 1).reshape(MAGNITUDE_BITS, len(names))
    error: NDArray[np.float64] = (signal[:, 1:] / signal[:, :1] - 1).T
    return error


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
    sweep, places = _sweep(cell, plan.codes)
    control = []
    for weight in plan.weights:
        control += [
            *_select(cell, weight),
            *sweep,
            f"wrdata {name}_w{weight}.txt v(n,p) i(voutp)-i(voutn)",
        ]
    noise = folder / f"{name}_noise.txt"
    noise.unlink(missing_ok=True)
    supply = cell.parameters.supply
    for weight in plan.noise_weights:
        control += _select(cell, weight)
        for code in plan.noise_codes:
            say = f"echo {code} {weight} $&rms >> {noise.name}"
            control += [
                f"alter vcode dc={code}",
                *_source("vreset", 0),
                f"noise v(n,p) vcode dec 10 {_NOISE_BAND}",
                "let rms = onoise_total",
                say,
            ]
            if cell.is_charge:  # what the reset leaves on the ladder stays there
                control += [
                    *_source("vreset", supply),
                    f"noise v(x0.{cell.ladder_end}) vcode dec 10 {_NOISE_BAND}",
                    f"let rms = {cell.buffer_gain:.9g} * onoise_total",
                    say,
                ]
    _run(
        folder / f"{name}.deck",
        _deck(card, condition, "transfer and noise", [netlist], _bench(cell), control),
    )
    points = []
    for index, weight in enumerate(plan.weights):
        table = read_table(folder / f"{name}_w{weight}.txt", 3)
        node, output = (np.interp(places, table[0], column) for column in table[1:])
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
    parts = read_table(noise, 3).T.reshape(len(plan.noise_weights) * len(plan.noise_codes), -1, 3)
    points += [
        Point(
            quantity="noise",
            condition=condition,
            code=int(part[0, 0]),
            weight=int(part[0, 1]),
            value=float(np.sum(part[:, 2] ** 2)),
            fitted=k % 2 == 0,
        )
        for k, part in enumerate(parts)
    ]
    return points


def _steps(
    cell: SpiceCell, card: Card, condition: Condition, plan: Plan, folder: Path, netlist: Path
) -> list[Point]:
    """Settling after each step of the input code; energy of the operations that start from reset.

    Capacitors start from reset each time, without an input.
    """
    supply = cell.parameters.supply
    name = f"steps_{condition.name}"
    steps = [step for step in plan.steps if step[0] is None or not cell.is_charge]
    control = []
    for index, (before, code, weight) in enumerate(steps):
        end = _EDGE + settling_horizon(cell.parameters, code)
        idle = 0 if cell.is_charge else code
        reset = supply if before is None else 0.0
        control += [
            *_select(cell, weight),
            *_source("vcode", idle if before is None else before, (_EDGE + _GUARD, code), (end, idle)),
            *_source("vreset", reset, (_EDGE, 0), (end, supply)),
            *_source("vresetb", supply - reset, (_EDGE, supply), (end, 0)),
            f"tran {end / _STEPS:.6g} {end + _RESET_TIME:.9g}",
            f"wrdata {name}_{index}.txt v(n,p) i(vdd)",
        ]
    _run(folder / f"{name}.deck", _deck(card, condition, "steps", [netlist], _bench(cell), control))
    settled, operations = [], []
    for index, (before, code, weight) in enumerate(steps):
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


def _switches(cell: SpiceCell) -> str:
    """Supply, input code, resets and the gates of all switches."""
    supply = cell.parameters.supply
    gates = "".join(f"v{gate} {gate} 0 0\n" for gate in cell.gates)
    # The other method rings at the edges of ideal switches, and the input would count that as charge.
    method = ".options method=gear\n" if cell.is_charge else ""
    return (
        f"{method}vdd vdd 0 {supply:g}\nvcode code 0 dc {INPUT_LEVELS} ac 1 pwl(0 0)\n"
        f"vreset reset 0 dc 0 pwl(0 0)\n"
        f"vresetb reset_b 0 dc {supply:g} pwl(0 {supply:g})\n{gates}"
    )


def _bench(cell: SpiceCell) -> str:
    """The cell with its input DAC and sensed outputs."""
    return (
        f"{_switches(cell)}{cell.input_dac()}voutp vdd outp 0\nvoutn vdd outn 0\n"
        f"ibias 0 bias {cell.parameters.pair_current / 2:.9g}\n"
        f"x0 vdd axon p n outp outn bias reset reset_b {' '.join(cell.gates)} neuron_cell\n"
    )


def _select(cell: SpiceCell, weight: int) -> list[str]:
    """Control lines that set the weight."""
    on = cell.selected(weight)
    return [f"alter v{gate} dc={cell.parameters.supply if gate in on else 0:g}" for gate in cell.gates]


def _sweep(cell: SpiceCell, codes: Sequence[int]) -> tuple[list[str], NDArray[np.float64]]:
    """Return control lines that lead the settled cell through evenly spaced ``codes``, and where each lies on
    the first column of ngspice's table: at itself, or at a time."""
    if not cell.is_charge:
        step = codes[1] - codes[0] if len(codes) > 1 else 1
        return [f"dc vcode {codes[0]} {codes[-1] + step / 2:g} {step}"], np.array(codes, dtype=np.float64)
    dwell = _DWELL * cell.node_time_constant
    starts = _EDGE + _GUARD + dwell * np.arange(len(codes))
    control = [
        *_source("vreset", cell.parameters.supply, (_EDGE, 0)),
        *_source("vcode", 0, *zip(starts.tolist(), codes, strict=True)),
        f"tran {dwell / 50:.6g} {starts[-1] + dwell:.9g}",
    ]
    return control, np.array(starts + dwell, dtype=np.float64)


def _source(name: str, first: float, *later: tuple[float, float]) -> list[str]:
    """Control lines for a source that starts at ``first`` and goes to each level from its time [s] on."""
    corners, level = [(0.0, first)], first
    for time, following in later:
        corners += [(time, level), (time + _RISE, following)]
        level = following
    line = " ".join(f"{time:.9g} {value:.9g}" for time, value in corners)
    return [f"alter {name} dc={first:.9g}", f"alter @{name}[pwl] = [ {line} ]"]


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
