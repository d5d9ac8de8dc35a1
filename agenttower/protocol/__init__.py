"""What goes over the socket, declared once: methods, their parameters, results and errors.

Nothing here does anything. The declarations are what requests are decoded by, what the reference
page and the JSON Schema are made of, and what tests hold the answers against.
"""
