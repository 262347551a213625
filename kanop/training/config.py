"""The structured schemas of the groups `optim` and `trainer`: every key, its type, default and range."""

from __future__ import annotations

from dataclasses import dataclass, field

from kanop.solvers.errors import check, nearest

__all__ = ["DEVICES", "DISTRIBUTED", "LOGGERS", "METHODS", "PRECISIONS", "SCHEDULES", "OptimConfig", "TrainerConfig"]

METHODS = ("adamw", "soap")
SCHEDULES = ("onecycle", "cosine", "step", "constant")
PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true")
DEVICES = ("auto", "cpu", "cuda")
DISTRIBUTED = ("auto", "ddp", "fsdp")
LOGGERS = ("tensorboard", "wandb", "mlflow")


@dataclass
class OptimConfig:
    """The optimiser and its learning rate, lr · f(step / steps).

    Parameters
    ----------
    method : "adamw" (Loshchilov and Hutter 2019, arXiv:1711.05101) or "soap" (Vyas et al. 2024, arXiv:2409.11321):
        a step costs more, several times fewer are needed
    lr : the highest learning rate (> 0)
    weight_decay : decoupled decay λ (≥ 0)
    betas : decay of the first and second moment, each in [0, 1); soap's preconditioner decays like the second
    schedule : "onecycle" (up and down by cosines), "cosine" (linear warm-up, cosine to zero), "step", "constant"
    warmup : share of all steps before the highest rate, "onecycle" and "cosine" only, in [0, 1)
    drop_every : share of all steps between drops of "step", in (0, 1]
    gamma : factor of one drop of "step", in (0, 1]

    Raises
    ------
    KanopError : a value outside its range, an unknown schedule
    """

    method: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-4
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    schedule: str = "onecycle"
    warmup: float = 0.1
    drop_every: float = 0.1
    gamma: float = 0.5

    def __post_init__(self) -> None:
        self.betas = [float(b) for b in self.betas]
        check(self.method in METHODS, nearest(self.method, METHODS, "optim.method"))
        check(self.lr > 0, f"optim.lr is positive, got {self.lr}")
        check(self.weight_decay >= 0, f"optim.weight_decay is at least 0, got {self.weight_decay}")
        good = len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas)
        check(good, f"optim.betas are two numbers in [0, 1), got {self.betas}")
        check(self.schedule in SCHEDULES, nearest(self.schedule, SCHEDULES, "optim.schedule"))
        check(0 <= self.warmup < 1, f"optim.warmup is a share of all steps in [0, 1), got {self.warmup}")
        check(0 < self.drop_every <= 1, f"optim.drop_every is a share of all steps in (0, 1], got {self.drop_every}")
        check(0 < self.gamma <= 1, f"optim.gamma is in (0, 1], got {self.gamma}")


@dataclass
class TrainerConfig:
    """How long, in what precision and on what machine to train, and what to keep.

    Parameters
    ----------
    max_epochs, max_steps : training ends at the first that is reached; None = the other one decides
    precision : "32-true", "64-true", "bf16-mixed", "16-mixed" or "bf16-true"
    accumulate : batches whose gradients are summed into one step (≥ 1)
    gradient_clip : largest gradient norm; None = no clipping
    ema_decay : d of the averaged weights w̄ ← d w̄ + (1 − d) w, which are validated and exported; None = off
    device : "auto", "cpu" or "cuda"
    devices, num_nodes : ranks a machine and machines (> 1: start through torchrun)
    distributed : "auto", "ddp" or "fsdp"
    threads : CPU threads of torch; None = torch's own choice
    checkpoint_every_steps : steps between checkpoints (one is written at every epoch's end besides)
    valid_every_epochs : epochs between validations
    log_every_steps : steps between rows of `metrics.csv`
    loggers : besides `metrics.csv`: "tensorboard", "wandb", "mlflow"
    keep : export the weights of the "last" step or of the "best" validation loss

    Raises
    ------
    KanopError : a value outside its range, an unknown choice
    """

    max_epochs: int | None = 100
    max_steps: int | None = None
    precision: str = "32-true"
    accumulate: int = 1
    gradient_clip: float | None = None
    ema_decay: float | None = None
    device: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    distributed: str = "auto"
    threads: int | None = None
    checkpoint_every_steps: int = 1000
    valid_every_epochs: int = 1
    log_every_steps: int = 10
    loggers: list[str] = field(default_factory=list)
    keep: str = "last"

    def __post_init__(self) -> None:
        check(self.max_epochs is not None or self.max_steps is not None, "give trainer.max_epochs or trainer.max_steps")
        counts = ("max_epochs", "max_steps", "accumulate", "devices", "num_nodes", "threads")
        for name in (*counts, "checkpoint_every_steps", "valid_every_epochs", "log_every_steps"):
            value = getattr(self, name)
            check(value is None or value >= 1, f"trainer.{name} is at least 1, got {value}")
        choices = {"precision": PRECISIONS, "device": DEVICES, "distributed": DISTRIBUTED, "keep": ("last", "best")}
        for name, known in choices.items():
            check(getattr(self, name) in known, nearest(str(getattr(self, name)), known, f"trainer.{name}"))
        for logger in self.loggers:
            check(logger in LOGGERS, nearest(logger, LOGGERS, "logger"))
        clip, decay = self.gradient_clip, self.ema_decay
        check(clip is None or clip > 0, f"trainer.gradient_clip is positive or null, got {clip}")
        check(decay is None or 0 < decay < 1, f"trainer.ema_decay is in (0, 1) or null, got {decay}")
        sharded = self.distributed == "fsdp" and decay is not None
        check(
            not sharded, "trainer.ema_decay needs whole weights on every rank: use distributed=ddp, or ema_decay=null"
        )
