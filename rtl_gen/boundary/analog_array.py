"""Digital side of a mixed-signal neuron array: a compute engine whose arithmetic happens in currents.

The array itself is an analog macro, here a black box. It holds the weights in its own latches, written row by
row; it turns input codes into currents, sums them per neuron and digitises the result.
"""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Instance, Module, Signal, Value
from amaranth.lib import wiring
from numpy.typing import NDArray

from ..formats import GAIN_WIDTH, SHIFT_WIDTH, bits_for_count
from ..memory import pack_rows
from ..neuron.axon_registers import AxonRegisters
from ..neuron.engine import WEIGHT_WIDTH, EngineParameters
from ..neuron.settings import Settings
from ..signatures import LOAD_WORD_WIDTH, TRIM_WIDTH, TRIMS, LoadTarget, calibration_port
from .calibration import Calibrator

__all__ = ["AnalogArrayEngine", "AnalogArrayParameters"]


@dataclass(frozen=True, kw_only=True)
class AnalogArrayParameters(EngineParameters):
    """Size and phases of a mixed-signal array. Its weight codes are sign-magnitude.

    One that is ``calibrated`` has a :class:`~rtl_gen.boundary.calibration.Calibrator`.
    """

    reset_cycles: int = 1
    settle_cycles: int = 4
    convert_cycles: int = 8
    calibrated: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        # A model of the array needs one cycle to see the phase and one to answer.
        for name, low in (("reset_cycles", 1), ("settle_cycles", 3), ("convert_cycles", 1)):
            if not low <= getattr(self, name) <= 4096:
                raise ValueError(f"{name} must be {low} to 4096 cycles, got {getattr(self, name)}")

    @property
    def array_module(self) -> str:
        """Verilog module name of the black box."""
        return f"analog_array_{self.n_axons}x{self.n_neurons}"

    @property
    def array_ports(self) -> dict[str, tuple[str, int]]:
        """Ports of the black box: name to direction (seen from the array) and width [bits]."""
        activation_width = self.event_format.activation_width
        return {
            "reset": ("input", 1),
            "evaluate": ("input", 1),
            "convert": ("input", 1),
            "row_strobe": ("input", 1),
            "row": ("input", bits_for_count(self.n_axons)),
            "row_weights": ("input", self.n_neurons * WEIGHT_WIDTH),
            "input_codes": ("input", self.n_axons * activation_width),
            "offset_trims": ("input", self.n_neurons * TRIM_WIDTH),
            "gain_trims": ("input", self.n_neurons * TRIM_WIDTH),
            "gain": ("input", GAIN_WIDTH),
            "shift": ("input", SHIFT_WIDTH),
            "output_codes": ("output", self.n_neurons * activation_width),
        }

    @property
    def synapse_row_width(self) -> int:
        return self.n_neurons * WEIGHT_WIDTH

    def synapse_rows(self, weights: NDArray[np.integer]) -> list[int]:
        codes = self._padded(weights).T
        sign_magnitude = np.where(codes < 0, (1 << (WEIGHT_WIDTH - 1)) - codes, codes)
        return pack_rows(sign_magnitude, WEIGHT_WIDTH)

    def rows_read(self, axons: NDArray[np.integer], n_neurons: int) -> NDArray[np.bool]:
        return np.isin(np.arange(self.n_axons), axons)

    def create(self) -> "AnalogArrayEngine":
        return AnalogArrayEngine(self)


class AnalogArrayEngine(wiring.Component):
    """Sequences the array's phases and holds its codes; see :class:`~rtl_gen.signatures.EngineSignature`.

    After ``step``: ``reset`` for ``reset_cycles`` (summing nodes precharged, input codes stable),
    ``evaluate`` for ``settle_cycles`` (currents flow, nodes settle), ``convert`` for ``convert_cycles``; the
    output codes are sampled in its last cycle. An array without neurons in use stays quiet.

    ``collision`` latches that two events of one step met on one axon. An array that is calibrated has a
    port ``calibration``: its searches evaluate as a step does, but end in trims and not in events.
    """

    def __init__(self, parameters: AnalogArrayParameters) -> None:
        self.parameters = parameters
        super().__init__(
            {
                **parameters.signature.members,
                "collision": wiring.Out(1),
                **calibration_port(parameters.calibrated),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.parameters
        m.submodules.axons = axons = AxonRegisters(p.event_format, p.n_axons, p.n_bias_axons)
        wiring.connect(m, wiring.flipped(self.events), axons.events)
        m.d.comb += [axons.step.eq(self.step), self.collision.eq(axons.collision)]

        ports = {name: Signal(width, name=name) for name, (_, width) in p.array_ports.items()}
        m.submodules.array = Instance(
            p.array_module,
            **{f"{direction[0]}_{name}": ports[name] for name, (direction, _) in p.array_ports.items()},
        )
        m.submodules.settings = settings = Settings(p.n_neurons)
        wiring.connect(m, wiring.flipped(self.load), settings.load)
        m.d.comb += [ports["gain"].eq(settings.gain), ports["shift"].eq(settings.shift)]
        self._load_rows(m, ports)
        begin = Signal()
        converted = Signal()
        searching = Signal()
        neuron = Signal(p.neuron_width)
        m.d.comb += [
            ports["input_codes"].eq(axons.activations),
            begin.eq(self.step & (settings.neurons != 0)),
            self.finished.eq(converted & ~searching),
            neuron.eq(self.neuron),
        ]
        calibrator = None
        if p.calibrated:
            m.submodules.calibrator = calibrator = Calibrator(p.n_neurons, p.event_format.activation_width)
            wiring.connect(m, wiring.flipped(self.calibration), calibrator.command)
            drive = Signal()
            m.d.comb += [
                searching.eq(calibrator.active),
                drive.eq(searching & self.calibration.trim),
                ports["input_codes"].eq(
                    Value.cast(axons.activations) | drive.replicate(len(ports["input_codes"]))
                ),
                calibrator.in_use.eq(settings.neurons.any()),
                calibrator.evaluated.eq(converted),
                calibrator.code.eq(self.code),
            ]
            with m.If(searching):
                m.d.comb += [begin.eq(calibrator.evaluate), neuron.eq(calibrator.neuron)]
        self._hold_trims(m, ports, calibrator)

        cycles = Signal(range(max(p.reset_cycles, p.settle_cycles, p.convert_cycles)))
        codes = Signal(p.n_neurons * p.event_format.activation_width)
        m.d.comb += self.code.eq(codes.word_select(neuron, p.event_format.activation_width))
        phases = (
            ("RESET", "reset", p.reset_cycles, "EVALUATE"),
            ("EVALUATE", "evaluate", p.settle_cycles, "CONVERT"),
            ("CONVERT", "convert", p.convert_cycles, "IDLE"),
        )
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE") | searching)
            with m.State("IDLE"), m.If(begin):
                m.d.sync += cycles.eq(p.reset_cycles - 1)
                m.next = "RESET"
            for (state, port, _, following), next_cycles in zip(
                phases, (p.settle_cycles, p.convert_cycles, 1), strict=True
            ):
                with m.State(state):
                    m.d.comb += ports[port].eq(1)
                    m.d.sync += cycles.eq(cycles - 1)
                    with m.If(cycles == 0):
                        m.d.sync += cycles.eq(next_cycles - 1)
                        m.next = following
                        if following == "IDLE":
                            m.d.comb += converted.eq(1)
                            m.d.sync += codes.eq(ports["output_codes"])
        return m

    def _load_rows(self, m: Module, ports: dict[str, Signal]) -> None:
        """Collect the words of a weight row, and strobe it into the array with its last."""
        p = self.parameters
        load = self.load
        n_words = -(-p.synapse_row_width // LOAD_WORD_WIDTH)
        # A wide register, written a field at a time: one process of the Verilog, whatever the size.
        row_words = Signal(n_words * LOAD_WORD_WIDTH)
        write = Signal()
        m.d.comb += [
            ports["row_weights"].eq(row_words),
            write.eq(load.strobe & (load.target == LoadTarget.SYNAPSES)),
        ]
        m.d.sync += ports["row_strobe"].eq(write & (load.word == n_words - 1))
        with m.If(write):
            m.d.sync += ports["row"].eq(load.row)
            with m.Switch(load.word):
                for index in range(n_words):
                    with m.Case(index):
                        m.d.sync += row_words.word_select(index, LOAD_WORD_WIDTH).eq(load.data)

    def _hold_trims(self, m: Module, ports: dict[str, Signal], calibrator: Calibrator | None) -> None:
        """Hold the trims, written by the load bus or by the calibrator; show those of one row."""
        p = self.parameters
        load = self.load
        offset_trims = Signal(p.n_neurons * TRIM_WIDTH)
        gain_trims = Signal(p.n_neurons * TRIM_WIDTH)
        write = Signal()
        row = Signal(load.row.shape())
        written = Signal(TRIMS)
        m.d.comb += [
            ports["offset_trims"].eq(offset_trims),
            ports["gain_trims"].eq(gain_trims),
            write.eq(load.strobe & (load.target == LoadTarget.TRIMS)),
            row.eq(load.row),
            written.eq(load.data),
        ]
        if calibrator is not None:
            with m.If(calibrator.active):
                m.d.comb += [
                    write.eq(calibrator.write),
                    row.eq(calibrator.neuron),
                    written.eq(calibrator.written),
                ]
        with m.If(write), m.Switch(row):
            for index in range(p.n_neurons):
                with m.Case(index):
                    m.d.sync += [
                        offset_trims.word_select(index, TRIM_WIDTH).eq(written.offset),
                        gain_trims.word_select(index, TRIM_WIDTH).eq(written.gain),
                    ]
        if calibrator is not None:
            with m.Switch(row):
                for index in range(p.n_neurons):
                    with m.Case(index):
                        m.d.comb += [
                            calibrator.trims.offset.eq(offset_trims.word_select(index, TRIM_WIDTH)),
                            calibrator.trims.gain.eq(gain_trims.word_select(index, TRIM_WIDTH)),
                        ]
