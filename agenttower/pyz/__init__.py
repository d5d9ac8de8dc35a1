"""The bench client as one file: built from installed sources, and put into containers."""
