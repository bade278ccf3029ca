"""Interfaces between blocks that are written apart: events, memory loading, compute engines."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .formats import EventFormat

__all__ = [
    "LOAD_WORD_WIDTH",
    "REPEATS_LOG2_WIDTH",
    "TILE_COORDINATE_WIDTH",
    "TRIMS",
    "TRIM_WIDTH",
    "CalibrationSignature",
    "EngineSignature",
    "LoadSignature",
    "LoadTarget",
    "SettingsRow",
    "TileChoiceSignature",
    "calibration_port",
    "share",
]

LOAD_WORD_WIDTH = 32
"""Width of one write on the load bus [bits]."""

TILE_COORDINATE_WIDTH = 8
"""Width of x and of y in a register [bits]."""

TRIM_WIDTH = 8
"""Width of each of a neuron's two trim codes, signed [bits]."""

TRIMS = data.StructLayout({"offset": TRIM_WIDTH, "gain": TRIM_WIDTH})
"""A neuron's trim codes, as on the load bus: two's complement, offset low."""

REPEATS_LOG2_WIDTH = 3
"""Width of the exponent that says how often a calibration evaluates for each bit [bits]."""


class LoadTarget:
    """Which memory of a core a load-bus write goes to."""

    SYNAPSES = 0
    """Weight rows, laid out as the engine needs them."""
    ROUTES = 1
    """Routing table: row ``neuron * fan_out + entry`` holds ``{valid, flit without payload}``."""
    SETTINGS = 2
    """Registers: see :class:`SettingsRow`."""
    TRIMS = 3
    """Row ``neuron`` holds that neuron's two signed trim codes: offset in the low byte, gain in the next."""

    WIDTH = 2


class SettingsRow:
    """Which setting of a core a row of ``LoadTarget.SETTINGS`` is."""

    GAIN = 0
    """Multiplier of the requantisation."""
    SHIFT = 1
    """Right shift of the requantisation."""
    NEURONS_IN_USE = 2
    """How many neurons compute; the others stay silent. 0 after reset."""


class LoadSignature(wiring.Signature):
    """Write-only bus that fills a core's memories; seen from the writer.

    Members
    -------
    strobe : Out(1)
        One word is written in this cycle. There is no backpressure.
    target : Out(2)
        A :class:`LoadTarget`.
    row : Out(20)
        Row of the target memory.
    word : Out(10)
        Which 32-bit word of that row, low word first.
    data : Out(32)
        The word. Bits beyond the row's width are ignored.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "strobe": Out(1),
                "target": Out(LoadTarget.WIDTH),
                "row": Out(20),
                "word": Out(10),
                "data": Out(LOAD_WORD_WIDTH),
            }
        )


class TileChoiceSignature(wiring.Signature):
    """Which tiles the load bus writes to; seen from the writer.

    Members
    -------
    x, y : Out(8)
        The tile that is addressed; the host's address is none.
    choose : Out(1)
        Strobe: from the next cycle on writes go to the tile addressed, and no longer to others.
    also : Out(1)
        With ``choose``: those chosen before stay chosen.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "x": Out(TILE_COORDINATE_WIDTH),
                "y": Out(TILE_COORDINATE_WIDTH),
                "choose": Out(1),
                "also": Out(1),
            }
        )


class CalibrationSignature(wiring.Signature):
    """Command of a calibration, and the trims that it leaves; seen from the host.

    Members
    -------
    start : Out(1)
        Strobe: search one kind of trim, see :class:`~rtl_gen.boundary.calibration.TrimSearch`. Only while
        nothing is busy, and while no time step is open that has had an event or is closed.
    trim, threshold, repeats_log2, lowered_by : Out
        What to search; still from ``start`` until the engine is no longer busy.
    trims : In(TRIMS)
        Trims of the neuron in ``row`` of the load bus, combinationally.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": Out(1),
                "trim": Out(1),
                "threshold": Out(8),
                "repeats_log2": Out(REPEATS_LOG2_WIDTH),
                "lowered_by": Out(8),
                "trims": In(TRIMS),
            }
        )


def calibration_port(calibrated: bool) -> dict[str, wiring.Member]:
    """Return the member ``calibration`` of a block that has one."""
    return {"calibration": In(CalibrationSignature())} if calibrated else {}


class EngineSignature(wiring.Signature):
    """What turns the events of one time step into the codes of the next; seen from the engine.

    Life of a step: events arrive and are absorbed (always within a bounded number of cycles, whatever
    happens at the output); ``step`` strobes when the whole chip is idle; the engine computes every neuron's
    code from what it had absorbed and strobes ``finished``; from then until the next ``step`` the codes can
    be read while the events of the new step are absorbed already.

    Members
    -------
    events : In(stream of EventFormat.event)
        Events for this core. At most one per axon and time step.
    step : In(1)
        Strobe: the old time step is over. Never while ``busy``.
    busy : Out(1)
        Work is pending: an absorbed event not yet accumulated, or codes not yet computed. Rises no later
        than the cycle after ``step``; ``finished`` comes while it is high.
    finished : Out(1)
        Strobe: from the next cycle on all codes are readable.
    neuron : In(neuron_width)
        Whose code to read.
    code : Out(activation_width)
        That neuron's activation code, combinationally from ``neuron``.
    load : In(LoadSignature)
        Fills synapses, settings and trims. Only while no time step runs.
    """

    def __init__(self, event_format: EventFormat, neuron_width: int) -> None:
        super().__init__(
            {
                "events": In(stream.Signature(event_format.event)),
                "step": In(1),
                "busy": Out(1),
                "finished": Out(1),
                "neuron": In(unsigned(neuron_width)),
                "code": Out(unsigned(event_format.activation_width)),
                "load": In(LoadSignature()),
            }
        )


def share(
    m: Module,
    source: wiring.PureInterface,
    sink: wiring.PureInterface,
    signature: wiring.Signature | None = None,
) -> None:
    """Drive every member that goes out to ``sink`` from ``source``, which may drive several.

    They are load busses, or of another ``signature``.
    """
    for name, member in (signature or LoadSignature()).members.items():
        if member.flow == Out:
            m.d.comb += getattr(sink, name).eq(getattr(source, name))
