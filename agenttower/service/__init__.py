"""AgentTower under systemd: unit files, and putting them in place."""
