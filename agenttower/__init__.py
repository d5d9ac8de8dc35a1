"""AgentTower: durable layouts of coding agents in tmux panes inside bench containers."""

__version__ = "0.1.0"
