"""Managed sessions: creation, the pipeline behind it, what readers see, and the marker sweep."""
