"""The ``app.*`` methods over the services (app surface)."""
