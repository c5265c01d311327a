"""Ciphers and signatures, in code that runs on both runtimes."""
