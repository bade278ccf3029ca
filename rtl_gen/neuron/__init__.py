"""Digital neurons and the cores built from them."""
