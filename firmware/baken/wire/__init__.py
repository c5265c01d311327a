"""Bytes to records and back: pure functions, without clock, sockets or files."""
