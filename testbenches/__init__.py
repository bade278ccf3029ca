"""cocotb benches, one module per hardware block, mirroring `rtl_gen`."""
