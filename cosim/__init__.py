"""One simulation of generated Verilog and analog models in lockstep."""
