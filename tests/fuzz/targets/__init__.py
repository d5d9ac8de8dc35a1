"""What ``make fuzz`` feeds: one target for each reader of bytes that somebody else wrote.

A target is a function of bytes that returns where all is well and raises where it is not. Its
oracle is in it: no exception but our own, what is written comes back, bounds hold.
"""
