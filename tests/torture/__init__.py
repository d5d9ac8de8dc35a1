"""A tower at work while everything around it breaks: ``python -m tests.torture``."""
