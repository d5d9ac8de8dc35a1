"""Benches: the places where panes live, and the only code that touches Docker or tmux."""
