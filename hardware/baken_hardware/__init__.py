"""Boards, virtual hardware, the technician's bench, the demo: what is no program of the region itself."""
