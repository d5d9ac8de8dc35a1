"""Fuzzing: the wire and every reader of foreign bytes. See README.md in this folder."""
