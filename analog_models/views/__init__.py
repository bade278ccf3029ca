"""Views of an analog array for other tools: the same cell, written for synthesis."""
