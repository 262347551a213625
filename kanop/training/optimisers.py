"""The optimisers behind `optim.method`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from kanop.training.config import OptimConfig

__all__ = ["Twins", "adamw", "soap"]


class Twins:
    """Real views of complex weights, on their memory, for optimisers that take real weights only."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.pairs = [(p, nn.Parameter(torch.view_as_real(p.detach()))) for p in parameters if p.is_complex()]

    def of(self, parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
        """`parameters` with every complex one replaced by its real view (..., 2)."""
        twins = {id(p): twin for p, twin in self.pairs}
        return [twins.get(id(p), p) for p in parameters]

    def hand_over(self) -> None:
        """Give the gradients of the complex weights to their views, in the same memory: clipping one clips both."""
        for p, twin in self.pairs:
            twin.data = torch.view_as_real(p.detach())
            twin.grad = None if p.grad is None else torch.view_as_real(p.grad)


def adamw(optim: OptimConfig, parameters: Sequence[Tensor], fused: bool) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""
    beta1, beta2 = optim.betas
    return torch.optim.AdamW(parameters, optim.lr, (beta1, beta2), weight_decay=optim.weight_decay, fused=fused)


def soap(optim: OptimConfig, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
    """Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al. 2024, arXiv:2409.11321); real weights."""
    from pytorch_optimizer import SOAP

    beta1, beta2 = optim.betas
    # Eigenvectors of a longer axis (DeepONet's sensors) cost more than the step itself: it is left as it is.
    return SOAP(parameters, optim.lr, (beta1, beta2), weight_decay=optim.weight_decay, max_precondition_dim=1024)
