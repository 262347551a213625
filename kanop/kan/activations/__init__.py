"""Learnable activations per node, not per edge: the K functions of a feature never meet a matmul, so they cost little.

An `Activation` maps features to themselves, to stand between linear layers; FAN, KAF and Siren are layers of their own.
"""

from kanop.kan.activations.activation import Activation
from kanop.kan.activations.cauchy import Cauchy
from kanop.kan.activations.daruan import DARUAN
from kanop.kan.activations.fan import FAN
from kanop.kan.activations.fourier import FourierActivation
from kanop.kan.activations.hermite import HermiteActivation
from kanop.kan.activations.kaf import KAF
from kanop.kan.activations.pool import SelectablePool
from kanop.kan.activations.rational import GroupRational
from kanop.kan.activations.siren import Siren
from kanop.kan.activations.snake import Snake
from kanop.kan.activations.tropical import TropicalActivation

__all__ = [
    "DARUAN",
    "FAN",
    "KAF",
    "Activation",
    "Cauchy",
    "FourierActivation",
    "GroupRational",
    "HermiteActivation",
    "SelectablePool",
    "Siren",
    "Snake",
    "TropicalActivation",
]
