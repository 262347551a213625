"""Problems of the literature: each with the reference that its solution is compared with."""

from kanop.kinn.cases.allen_cahn_fronts import AllenCahnFronts
from kanop.kinn.cases.burgers_shock import BurgersShock
from kanop.kinn.cases.case import Case, Reference
from kanop.kinn.cases.fast_advection import FastAdvection
from kanop.kinn.cases.kdv_waves import KdVWaves
from kanop.kinn.cases.sines import Sines

__all__ = ["AllenCahnFronts", "BurgersShock", "Case", "FastAdvection", "KdVWaves", "Reference", "Sines"]
