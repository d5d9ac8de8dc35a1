"""The front end: transport, peer identity, envelopes, schemas and method tables."""
