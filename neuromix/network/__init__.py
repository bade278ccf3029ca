"""Networks, data sets and quantisation."""
