"""Checks of the doctor that need the whole program and the host's files."""
