"""The worker process: Huey on our database, named tasks, sweeps and pumps."""
