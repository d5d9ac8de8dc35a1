"""What a command line needs to talk to the socket. Standard library only."""
