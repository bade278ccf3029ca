"""How long a comparator takes to notice: the delay falls as the overdrive grows.

Both delays start where the input meets the threshold; offset and noise move that threshold and are the
caller's. A comparator without load decides at once.
"""

import math

__all__ = ["decision_delay", "ramp_delay"]


def ramp_delay(slope: float, *, transconductance: float, tail_current: float, output_charge: float) -> float:
    """Return the delay of a continuous comparator whose input passes the threshold at ``slope`` [V/s].

    The pair integrates ``gm slope t`` on its output until all its tail current is steered there, and that
    current from then on (Allen and Holberg, CMOS Analog Circuit Design, chapter 8: linear and slewing
    response; here for a ramp). It has decided once ``output_charge`` [C] has moved:
    ``sqrt(2 Q/(gm slope))``, or ``Q/I + I/(2 gm slope)`` when the current is exhausted before.
    """
    rate = transconductance * slope
    if output_charge * 2 * rate <= tail_current**2:
        return math.sqrt(2 * output_charge / rate)
    return output_charge / tail_current + tail_current / (2 * rate)


def decision_delay(overdrive: float, *, time_constant: float, swing: float) -> float:
    """Return how long a clocked latch takes from ``overdrive`` to ``swing``, both above 0 V [s].

    Positive feedback grows exponentially: ``tau ln(swing/overdrive)`` (Razavi, The StrongARM Latch, IEEE
    Solid-State Circuits Magazine, 2015).
    """
    return time_constant * max(0.0, math.log(swing / overdrive))
