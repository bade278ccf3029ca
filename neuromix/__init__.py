"""neuromix: from an experiment file to Verilog, co-simulation, energy and a report."""
