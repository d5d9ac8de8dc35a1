"""The command line for benches: ``agenttower.pyz``, or ``python3 -m agenttower.client``.

A part of the full ``agenttower`` command, with the same names, output and exit codes, that needs
nothing but Python 3.9.
"""
