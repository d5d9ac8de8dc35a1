"""Measurements of AgentTower, each against its floor or a peer in the same run."""
