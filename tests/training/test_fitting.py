"""What training does to the weights, and what it tells."""

from __future__ import annotations

import csv
import sys

import lightning.pytorch as lightning
import pytest
import torch

from kanop.solvers import FieldSpec, Grid, KanopError
from kanop.training import OneStep, OptimConfig, TrainerConfig, Unrolled, fit
from kanop.training.module import step_seed


class Watch(lightning.Callback):
    """Keeps the weights after every step."""

    def __init__(self):
        self.weights = []

    def on_train_start(self, trainer, module):
        self._keep(module)

    def on_train_batch_end(self, trainer, module, *_):
        self._keep(module)

    def _keep(self, module):
        self.weights.append({n: p.detach().clone() for n, p in module.emulator.named_parameters()})


@pytest.fixture
def watch(job, monkeypatch):
    import kanop.training.fitting  # noqa: F401

    watch = Watch()
    monkeypatch.setattr(sys.modules["kanop.training.fitting"], "progress", lambda: watch)
    return watch


def _fit(job, run, strategy=None, optim=None, trainer=None, emulator=None, loss=None, data=None):
    strategy = strategy or OneStep()
    return fit(
        emulator or job.emulator(),
        data or job.Data(strategy.horizon),
        loss or job.Sobolev(0.0),
        strategy,
        OptimConfig(**{"lr": 1e-2, **(optim or {})}),
        TrainerConfig(**{"max_epochs": 2, "device": "cpu", "log_every_steps": 1, **(trainer or {})}),
        run=run,
        seed=1,
    )


def _rows(run):
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_training_learns_and_says_so(job, tmp_path):
    fitted = _fit(job, tmp_path / "run", Unrolled(2), trainer={"max_epochs": 25, "threads": 1})
    assert fitted.metrics["valid/relative_l2"] < 0.05
    assert fitted.steps == 100
    rows = _rows(tmp_path / "run")
    losses = [float(r["train/loss"]) for r in rows if r["train/loss"]]
    assert [int(r["step"]) for r in rows if r["train/loss"]] == list(range(1, 101))
    assert losses[-1] < losses[0] / 10
    assert len([r for r in rows if r["valid/loss"]]) == 25
    assert all(float(r["samples_per_second"]) > 0 for r in rows if r["train/loss"])
    data = job.Data(1)
    error = (fitted.emulator(data.inputs) - data.targets).norm() / data.targets.norm()
    assert error < 0.05
    assert not fitted.emulator.training


def test_one_step_of_training_is_adamw(job, tmp_path, watch):
    _fit(job, tmp_path / "run", optim={"schedule": "constant", "weight_decay": 0.1}, trainer={"max_steps": 1})
    before, after = watch.weights[0], watch.weights[1]
    emulator, data = job.emulator(), job.Data(1)
    u, target = next(iter(data.train_dataloader()))
    loss = ((emulator(u) - target).flatten(1).norm(dim=1) / target.flatten(1).norm(dim=1)).mean()
    loss.backward()
    for name, p in emulator.named_parameters():
        # The first step of Adam: m̂ = g, v̂ = g².
        expected = before[name] * (1 - 1e-2 * 0.1) - 1e-2 * p.grad / (p.grad.abs() + 1e-8)
        torch.testing.assert_close(after[name], expected, rtol=1e-4, atol=1e-6)


class Scale(torch.nn.Module):
    """v̂_k = w_k û_k with complex weights, kept as complex numbers or as pairs of real ones."""

    def __init__(self, pairs):
        super().__init__()
        self.pairs = pairs
        w = torch.complex(torch.linspace(0.5, 1.0, 9), torch.linspace(-0.3, 0.2, 9)).expand(1, 1, 9).clone()
        self.w = torch.nn.Parameter(torch.view_as_real(w).clone() if pairs else w)

    def forward(self, u):
        w = self.w if self.w.is_complex() else torch.view_as_complex(self.w)
        return torch.fft.irfft(w * torch.fft.rfft(u[:, :1]), n=16)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_soap_takes_complex_weights_as_pairs_of_real_ones(job, tmp_path, accumulate):
    weights = []
    for pairs in (True, False):
        emulator = job.emulator()
        emulator.operator = Scale(pairs)
        settings = {"max_epochs": 6, "gradient_clip": 0.1, "accumulate": accumulate}
        soap = {"method": "soap", "betas": [0.95, 0.95]}
        _fit(job, tmp_path / str(pairs), optim=soap, trainer=settings, emulator=emulator)
        weights.append(emulator.operator.w.detach())
    torch.testing.assert_close(torch.view_as_real(weights[1]), weights[0], rtol=1e-5, atol=1e-6)
    assert (weights[0] - Scale(True).w.detach()).abs().max() > 1e-3


def test_soap_is_adam_where_the_gradient_has_one_entry_an_axis(job, tmp_path, watch):
    # Eigenvectors of 1 × 1 preconditioners are ±1: nothing is left to rotate.
    class Gain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(1, 1))

        def forward(self, u):
            return self.w * u[:, :1]

    ends = []
    for method in ("soap", "adamw"):
        emulator = job.emulator()
        emulator.operator = Gain()
        optim = {"method": method, "schedule": "constant", "lr": 1e-2, "weight_decay": 0.0}
        # SOAP only looks at its first gradient; one epoch is one batch here, always the same.
        data = job.Data(1, count=4)
        steps = {"max_epochs": 6 if method == "soap" else 5}
        _fit(job, tmp_path / method, optim=optim, trainer=steps, emulator=emulator, data=data)
        ends.append(emulator.operator.w.item())
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)
    assert abs(ends[0] - 1) > 1e-2


def test_exported_weights_are_the_exponential_average(job, tmp_path, watch):
    fitted = _fit(job, tmp_path / "run", trainer={"ema_decay": 0.7})
    # After the first step the average is the weights; from then on w̄ ← d w̄ + (1 − d) w.
    average = watch.weights[1]
    for weights in watch.weights[2:]:
        average = {n: 0.7 * average[n] + 0.3 * weights[n] for n in average}
    for name, p in fitted.emulator.named_parameters():
        torch.testing.assert_close(p.detach(), average[name], rtol=1e-5, atol=1e-7)
    assert any(not torch.allclose(average[n], watch.weights[-1][n]) for n in average)


def test_without_averaging_the_last_weights(job, tmp_path, watch):
    fitted = _fit(job, tmp_path / "run")
    assert all(torch.equal(p, watch.weights[-1][n]) for n, p in fitted.emulator.named_parameters())


def test_the_best_weights_are_those_of_the_lowest_validation_loss(job, tmp_path, watch):
    settings = {"max_epochs": 6, "keep": "best"}
    fitted = _fit(job, tmp_path / "run", trainer=settings, optim={"schedule": "constant", "lr": 0.2})
    losses = [float(r["valid/loss"]) for r in _rows(tmp_path / "run") if r["valid/loss"]]
    best = losses.index(min(losses))
    assert all(torch.equal(p, watch.weights[4 * (best + 1)][n]) for n, p in fitted.emulator.named_parameters())


def test_clipping_limits_the_gradient(job, tmp_path):
    _fit(job, tmp_path / "run", trainer={"gradient_clip": 1e-3, "max_steps": 1})
    state = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["optimizer_states"][0]["state"]
    # After one step Adam's first moment is (1 − β₁) times the gradient it was given.
    given = torch.nn.utils.get_total_norm([s["exp_avg"] / (1 - 0.9) for s in state.values()])
    assert float(given) == pytest.approx(1e-3, rel=1e-3)
    logged = [float(r["grad_norm"]) for r in _rows(tmp_path / "run") if r["grad_norm"]]
    assert logged[0] > 1e-3


class Seen(torch.nn.Module):
    """An operator that keeps its inputs."""

    def __init__(self, operator):
        super().__init__()
        self.operator, self.train_inputs, self.valid_inputs = operator, [], []

    def forward(self, u):
        (self.train_inputs if self.training else self.valid_inputs).append(u.detach().clone())
        return self.operator(u)


def test_noise_in_training_only_and_on_frames_only(job, tmp_path):
    emulator = job.emulator()
    emulator.operator = seen = Seen(emulator.operator)
    _fit(job, tmp_path / "run", OneStep(noise=0.5), emulator=emulator, trainer={"max_epochs": 1})
    data = job.Data(1)
    clean = [emulator.input_norm(u) for u, _ in data.train_dataloader()]
    noise = torch.cat([s - c for s, c in zip(seen.train_inputs, clean, strict=True)])
    assert noise[:, 0].std() == pytest.approx(0.5, rel=0.15)
    assert noise[:, 1].abs().max() == 0
    valid = [emulator.input_norm(u) for u, _ in data.val_dataloader() for _ in range(2)]
    assert all(torch.equal(s, v) for s, v in zip(seen.valid_inputs, valid, strict=True))


def test_draws_differ_between_steps_and_agree_between_runs(job, tmp_path):
    inputs = []
    for name in ("a", "b"):
        emulator = job.emulator()
        emulator.operator = seen = Seen(emulator.operator)
        torch.manual_seed(len(inputs))
        _fit(job, tmp_path / name, OneStep(noise=0.5), emulator=emulator, trainer={"max_epochs": 1})
        inputs.append(seen.train_inputs)
    assert all(torch.equal(a, b) for a, b in zip(*inputs, strict=True))
    seeds = {
        step_seed(s, step, batch, r) for s in range(3) for step in range(9) for batch in range(9) for r in range(3)
    }
    assert len(seeds) == 3 * 9 * 9 * 3


def test_training_leaves_the_caller_s_random_numbers_alone(job, tmp_path):
    emulator, data = job.emulator(), job.Data(1)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    _fit(job, tmp_path / "run", OneStep(noise=0.1), emulator=emulator, data=data, trainer={"max_steps": 2})
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_precisions(job, tmp_path, precision):
    fitted = _fit(job, tmp_path / "run", trainer={"precision": precision, "max_steps": 3})
    dtype = torch.float64 if precision == "64-true" else torch.float32
    assert {p.dtype for p in fitted.emulator.parameters()} == {dtype}
    assert fitted.metrics["valid/relative_l2"] < 1.5


def test_a_window_of_another_length(job, tmp_path):
    with pytest.raises(KanopError, match=r"makes 3 calls and needs targets of 3 channels, got 1.*n_out=3"):
        _fit(job, tmp_path / "run", Unrolled(3, curriculum=0.0), data=job.Data(1))


def test_cuda_without_cuda(job, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(KanopError, match=r"trainer\.device=cuda was asked for, but this torch sees no CUDA device"):
        _fit(job, tmp_path / "run", trainer={"device": "cuda"})
    assert not (tmp_path / "run").exists()


def test_a_map_without_frames_has_no_rollout(job, tmp_path):
    emulator = job.emulator()
    emulator.spec = FieldSpec(Grid((16,)), ["u"], ["a"], n_in=0)
    with pytest.raises(KanopError, match="has no rollout and no input noise"):
        _fit(job, tmp_path / "run", OneStep(noise=0.1), emulator=emulator)


def test_diverged_training_says_what_to_change(job, tmp_path):
    class Broken:
        def __call__(self, prediction, target, grid):
            return prediction.mean() * float("nan")

    with pytest.raises(KanopError, match=r"training loss is nan at step 1: training diverged. Lower optim.lr"):
        _fit(job, tmp_path / "run", loss=Broken())


def test_a_tracker_that_is_not_installed(job, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    from kanop.training import loggers

    def missing(run):
        raise ModuleNotFoundError("mlflow")

    monkeypatch.setitem(loggers._TRACKERS, "mlflow", missing)
    with pytest.raises(KanopError, match=r"pip install 'kanop\[mlflow\]'"):
        _fit(job, tmp_path / "run", trainer={"loggers": ["mlflow"]})
