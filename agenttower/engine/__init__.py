"""The durable engine: operations, steps, claim and settle, rescue, outbox. Knows no tmux."""
