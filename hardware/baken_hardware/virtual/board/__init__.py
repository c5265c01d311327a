"""The virtual board: what `import board` finds when the firmware runs under MicroPython on a desktop
machine.
"""
