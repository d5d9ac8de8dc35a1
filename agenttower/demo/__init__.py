"""A private Docker engine and a bench image, for the demo and for the tests."""
