"""Baken: a mesh noticeboard for emergency support points, on MicroPython and CPython."""

__version__ = "0.1.0"
