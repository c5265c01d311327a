"""The technician's bench: keys, flashing, provisioning, testing, planning."""
