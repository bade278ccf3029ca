"""Instances of components that are emitted apart, so that many copies cost one module.

Amaranth emits one Verilog module per component object. What is placed many times (a tile, a memory macro) is
therefore placed as an ``Instance`` by module name, and emitted once by :mod:`rtl_gen.emit`, which finds it in
the mapping ``emitted_apart`` (module name to component) of the component that places it.
"""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["place", "port_name"]


def port_name(path: tuple[str | int, ...]) -> str:
    """Return the Verilog port of an interface member, as Amaranth names it: ``port__member``."""
    return "__".join(str(part) for part in path)


def place(m: Module, name: str, module: str, signature: wiring.Signature) -> wiring.PureInterface:
    """Add submodule ``name``, an instance of Verilog module ``module``; return an interface to its ports.

    ``signature`` is that of the component behind ``module``; clock and reset are those of domain ``sync``.
    """
    interface = signature.create(path=(name,))
    ports: dict[str, object] = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
    for path, member, value in signature.flatten(interface):
        ports[("i_" if member.flow == In else "o_") + port_name(path)] = value
    m.submodules[name] = Instance(module, **ports)
    return interface
