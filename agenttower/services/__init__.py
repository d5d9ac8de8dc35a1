"""One family of use cases a file; every namespace, the CLI and the worker go through here."""
