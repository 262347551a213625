"""Floor 4: operators, maps (b, c_in, *x) → (b, c_out, *x) built from a FieldSpec, for any resolution."""

from kanop.operators.deepokan import DeepOKAN
from kanop.operators.deeponet import DeepONet
from kanop.operators.emulator import Emulator
from kanop.operators.ffno import FFNO
from kanop.operators.fno import FNO
from kanop.operators.kan_fno import KANFNO
from kanop.operators.kan_integral import KANIntegral
from kanop.operators.kan_spectral import KANSpectral
from kanop.operators.kano import KANO
from kanop.operators.neuralop_codano import CODANO
from kanop.operators.neuralop_fno import NeuralopFNO, load_neuralop_weights
from kanop.operators.neuralop_gino import FNOGNO, GINO
from kanop.operators.neuralop_local import LocalNO
from kanop.operators.neuralop_tfno import TFNO
from kanop.operators.neuralop_uno import UNO
from kanop.operators.normaliser import Normaliser
from kanop.operators.resnet import ResNet
from kanop.operators.s2_transformer import S2Transformer
from kanop.operators.sfno import SFNO, SphereBlock
from kanop.operators.unet import UNet

__all__ = [
    "CODANO",
    "FFNO",
    "FNO",
    "FNOGNO",
    "GINO",
    "KANFNO",
    "KANO",
    "SFNO",
    "TFNO",
    "UNO",
    "DeepOKAN",
    "DeepONet",
    "Emulator",
    "KANIntegral",
    "KANSpectral",
    "LocalNO",
    "NeuralopFNO",
    "Normaliser",
    "ResNet",
    "S2Transformer",
    "SphereBlock",
    "UNet",
    "load_neuralop_weights",
]
