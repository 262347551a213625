"""Old address of `kanop.training.exports`: shadows the function `kanop.training.export` once imported; use that instead."""

from kanop.training.exports import export, load, read_config

__all__ = ["export", "load", "read_config"]
