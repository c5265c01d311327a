"""Screens: one each file, its style beside it."""
