"""Virtual hardware: the real firmware on a real MicroPython, and everything around the chip."""
