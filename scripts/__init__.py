"""Floor 6: the commands. `kanop NAME` and `python scripts/NAME.py` are the same function."""
