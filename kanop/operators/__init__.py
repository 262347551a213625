"""Floor 4: operators, maps (b, c_in, *x) → (b, c_out, *x) built from a FieldSpec, for any resolution."""

from kanop.operators.deeponet import DeepONet
from kanop.operators.emulator import Emulator
from kanop.operators.ffno import FFNO
from kanop.operators.fno import FNO
from kanop.operators.kan_spectral import KANSpectral
from kanop.operators.neuralop_fno import NeuralopFNO, load_neuralop_weights
from kanop.operators.normaliser import Normaliser
from kanop.operators.resnet import ResNet
from kanop.operators.unet import UNet

__all__ = [
    "FFNO",
    "FNO",
    "DeepONet",
    "Emulator",
    "KANSpectral",
    "NeuralopFNO",
    "Normaliser",
    "ResNet",
    "UNet",
    "load_neuralop_weights",
]
