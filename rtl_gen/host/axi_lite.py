"""AXI4-Lite: the bus, a subordinate's handshakes, and the registers through which a host sees the chip."""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..signatures import CalibrationSignature, LoadSignature, TileChoiceSignature
from .registers import ADDRESS_WIDTH, REGISTER_BYTES, REGISTER_WIDTH, RegisterMap

__all__ = ["AxiLiteSignature", "AxiLiteSubordinate", "AxiResponse", "HostRegisters", "RegisterPortSignature"]


class AxiResponse(IntEnum):
    """The answers that a subordinate gives."""

    OKAY = 0b00
    SLVERR = 0b10


class AxiLiteSignature(wiring.Signature):
    """AXI4-Lite with 32 data bits and the names of the standard (Arm IHI 0022); seen from the manager."""

    def __init__(self, address_width: int = ADDRESS_WIDTH) -> None:
        super().__init__(
            {
                "awvalid": Out(1),
                "awready": In(1),
                "awaddr": Out(address_width),
                "awprot": Out(3),
                "wvalid": Out(1),
                "wready": In(1),
                "wdata": Out(REGISTER_WIDTH),
                "wstrb": Out(REGISTER_BYTES),
                "bvalid": In(1),
                "bready": Out(1),
                "bresp": In(2),
                "arvalid": Out(1),
                "arready": In(1),
                "araddr": Out(address_width),
                "arprot": Out(3),
                "rvalid": In(1),
                "rready": Out(1),
                "rdata": In(REGISTER_WIDTH),
                "rresp": In(2),
            }
        )


class RegisterPortSignature(wiring.Signature):
    """Access to registers without handshakes; seen from the bus.

    Members
    -------
    write : Out(1)
        Strobe: ``write_data`` is for the register at ``write_address``.
    write_address, read_address : Out(address_width)
        Byte addresses; the low two bits do not matter.
    write_data : Out(32)
    write_error : In(1)
        That register cannot be written; combinationally from ``write_address``.
    read_data : In(32)
    read_error : In(1)
        Value at ``read_address``, or that it cannot be read; combinationally. Reading changes nothing.
    """

    def __init__(self, address_width: int = ADDRESS_WIDTH) -> None:
        super().__init__(
            {
                "write": Out(1),
                "write_address": Out(address_width),
                "write_data": Out(REGISTER_WIDTH),
                "write_error": In(1),
                "read_address": Out(address_width),
                "read_data": In(REGISTER_WIDTH),
                "read_error": In(1),
            }
        )


class AxiLiteSubordinate(wiring.Component):
    """Handshakes of an AXI4-Lite subordinate: a write every other cycle, and a read every other cycle.

    Address and data of a write come in any order. All outputs to the bus come from registers, so no input of
    the bus reaches an output in the same cycle. A write that does not strobe all four bytes is answered
    with SLVERR and does nothing, as is one that ``registers`` refuses. Protection bits are ignored.

    Members
    -------
    bus : In(AxiLiteSignature)
    registers : Out(RegisterPortSignature)
    """

    bus: wiring.PureInterface
    registers: wiring.PureInterface

    def __init__(self) -> None:
        super().__init__({"bus": In(AxiLiteSignature()), "registers": Out(RegisterPortSignature())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._write_channels(m)
        self._read_channels(m)
        return m

    def _write_channels(self, m: Module) -> None:
        bus, registers = self.bus, self.registers
        address_held = Signal()
        data_held = Signal()
        byte_strobes = Signal(REGISTER_BYTES)
        commit = Signal()
        refused = Signal()
        m.d.comb += [
            bus.awready.eq(~address_held),
            bus.wready.eq(~data_held),
            commit.eq(address_held & data_held & ~bus.bvalid),
            refused.eq(registers.write_error | ~byte_strobes.all()),
            registers.write.eq(commit & ~refused),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [address_held.eq(1), registers.write_address.eq(bus.awaddr)]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [data_held.eq(1), registers.write_data.eq(bus.wdata), byte_strobes.eq(bus.wstrb)]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(commit):
            m.d.sync += [
                address_held.eq(0),
                data_held.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(Mux(refused, AxiResponse.SLVERR, AxiResponse.OKAY)),
            ]

    def _read_channels(self, m: Module) -> None:
        bus, registers = self.bus, self.registers
        m.d.comb += [bus.arready.eq(~bus.rvalid), registers.read_address.eq(bus.araddr)]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(registers.read_data),
                bus.rresp.eq(Mux(registers.read_error, AxiResponse.SLVERR, AxiResponse.OKAY)),
            ]


class HostRegisters(wiring.Component):
    """The registers of :func:`chip_registers` behind AXI4-Lite.

    SLVERR answers undefined addresses, writes to read-only and reads of write-only registers, and partial
    writes. A register written takes its value one cycle after address and data were both accepted.

    Members
    -------
    bus : In(AxiLiteSignature)
    load : Out(LoadSignature)
        One strobe per write of LOAD_DATA. The word index wraps after 1024 words.
    choice : Out(TileChoiceSignature)
        The tiles that ``load`` is for. ``choose`` strobes in the cycle after LOAD_TILE is written, a cycle
        before a write that follows can strobe ``load``.
    busy, closed : In(1)
        Levels for STATUS.
    stray, collision : In(1)
        Strobes; STATUS remembers them until CONTROL clears them. One in the cycle of the clearing stays.
    steps, events_in, events_out : In(32)
        Counters for the registers of these names.
    clear_counters : Out(1)
        Strobe for the owners of the counters.
    calibration : Out(CalibrationSignature)
        Only if the map has the register CALIBRATION.
    """

    bus: wiring.PureInterface
    load: wiring.PureInterface
    choice: wiring.PureInterface
    busy: Signal
    closed: Signal
    stray: Signal
    collision: Signal
    steps: Signal
    events_in: Signal
    events_out: Signal
    clear_counters: Signal

    def __init__(self, register_map: RegisterMap) -> None:
        self.register_map = register_map
        self._calibrated = any(register.name == "CALIBRATION" for register in register_map)
        calibration = {"calibration": Out(CalibrationSignature())} if self._calibrated else {}
        super().__init__(
            {
                "bus": In(AxiLiteSignature()),
                "load": Out(LoadSignature()),
                "choice": Out(TileChoiceSignature()),
                "busy": In(1),
                "closed": In(1),
                "stray": In(1),
                "collision": In(1),
                "steps": In(REGISTER_WIDTH),
                "events_in": In(REGISTER_WIDTH),
                "events_out": In(REGISTER_WIDTH),
                "clear_counters": Out(1),
                **calibration,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.subordinate = subordinate = AxiLiteSubordinate()
        connect(m, flipped(self.bus), subordinate.bus)
        fields, written = self._decode(m, subordinate.registers)

        load_word = Signal(self.load.word.shape())
        m.d.comb += [
            fields["STATUS", "busy"].eq(self.busy),
            fields["STATUS", "closed"].eq(self.closed),
            fields["STEPS", "count"].eq(self.steps),
            fields["EVENTS_IN", "count"].eq(self.events_in),
            fields["EVENTS_OUT", "count"].eq(self.events_out),
            self.clear_counters.eq(fields["CONTROL", "clear_counters"]),
            self.choice.x.eq(fields["LOAD_TILE", "x"]),
            self.choice.y.eq(fields["LOAD_TILE", "y"]),
            self.choice.also.eq(fields["LOAD_TILE", "also"]),
            self.load.strobe.eq(written["LOAD_DATA"]),
            self.load.target.eq(fields["LOAD_TARGET", "target"]),
            self.load.row.eq(fields["LOAD_ROW", "row"]),
            self.load.word.eq(load_word),
            self.load.data.eq(fields["LOAD_DATA", "data"]),
        ]
        if self._calibrated:
            calibration = self.calibration
            m.d.comb += [
                calibration.start.eq(fields["CONTROL", "calibrate"]),
                fields["TRIMS", "offset"].eq(calibration.trims.offset),
                fields["TRIMS", "gain"].eq(calibration.trims.gain),
            ]
            for name in ("trim", "repeats_log2", "threshold", "lowered_by"):
                m.d.comb += getattr(calibration, name).eq(fields["CALIBRATION", name])
        m.d.sync += self.choice.choose.eq(written["LOAD_TILE"])
        with m.If(written["LOAD_DATA"]):
            m.d.sync += load_word.eq(load_word + 1)
        with m.If(written["LOAD_ROW"]):
            m.d.sync += load_word.eq(0)
        for flag, strobe in (("stray", self.stray), ("collision", self.collision)):
            with m.If(fields["CONTROL", "clear_flags"]):
                m.d.sync += fields["STATUS", flag].eq(0)
            with m.If(strobe):
                m.d.sync += fields["STATUS", flag].eq(1)
        return m

    def _decode(
        self, m: Module, port: wiring.PureInterface
    ) -> tuple[dict[tuple[str, str], Signal], dict[str, Signal]]:
        """Return a signal per field and a strobe per writable register.

        Fields of ``rw`` hold what was written, those of ``wo`` show it during the strobe and are 0 otherwise,
        and those of ``ro`` are for the caller to drive; what nobody drives stays at its reset value.
        """
        readable = [register for register in self.register_map if register.access != "wo"]
        writable = [register for register in self.register_map if register.access != "ro"]
        fields = {
            (register.name, field.name): Signal(
                field.width, init=field.reset, name=f"{register.name}_{field.name}".lower()
            )
            for register in self.register_map
            for field in register.fields
        }
        written = {register.name: Signal(name=f"{register.name}_written".lower()) for register in writable}

        with m.Switch(port.write_address[2:]):
            for register in writable:
                with m.Case(register.address // REGISTER_BYTES):
                    m.d.comb += written[register.name].eq(port.write)
            with m.Default():
                m.d.comb += port.write_error.eq(1)
        for register in writable:
            domain = m.d.sync if register.access == "rw" else m.d.comb
            with m.If(written[register.name]):
                for field in register.fields:
                    bits = port.write_data[field.offset :][: field.width]
                    domain += fields[register.name, field.name].eq(bits)

        with m.Switch(port.read_address[2:]):
            for register in readable:
                with m.Case(register.address // REGISTER_BYTES):
                    for field in register.fields:
                        bits = port.read_data[field.offset :][: field.width]
                        m.d.comb += bits.eq(fields[register.name, field.name])
            with m.Default():
                m.d.comb += port.read_error.eq(1)
        return fields, written
