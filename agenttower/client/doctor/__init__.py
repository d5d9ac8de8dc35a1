"""What may keep AgentTower from working here, check by check, each with what to do.

The first six are ``config doctor`` of the contract (legacy surfaces part 1, section 13), the others
are ours. Nothing is changed, in no case. Standard library only, Python 3.9 and newer.
"""
