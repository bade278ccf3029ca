"""Published claims about the mixed-signal neuron, each held against what the models say."""
