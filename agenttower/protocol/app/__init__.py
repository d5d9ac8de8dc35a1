"""The ``app.*`` namespace: what a local control panel talks to (app surface)."""
