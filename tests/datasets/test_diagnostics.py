"""The spectrum tail is the ratio that it says, and frames that a grid does not resolve can be found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kanop.datasets import Frames, open_data
from kanop.datasets.recording import spectrum_tail
from kanop.solvers import Burgers, DataError, Grid


@pytest.mark.parametrize("boundaries", ["periodic", "neumann", "dirichlet"])
@pytest.mark.parametrize(("degree", "parts"), [(2, 3), (3, 4)])
def test_the_tail_is_a_ratio_of_root_mean_squares(boundaries: str, degree: int, parts: int) -> None:
    """Against the physical fields, in the plane: modes of the shell on either axis count, those below do not."""
    grid = Grid((72, 48), lengths=(2.0, 3.0), boundaries=boundaries)
    period = 1 if boundaries == "periodic" else 2
    highest = [(period * n - 1) // parts for n in grid.shape]

    def wave(*modes: int) -> torch.Tensor:
        sides = zip(modes, grid.mesh(), grid.lengths, strict=True)
        phases = [(2 / period) * torch.pi * m * x / length for m, x, length in sides]
        trig = torch.sin if boundaries == "dirichlet" else torch.cos
        return trig(phases[0]) * trig(phases[1])

    body = wave(1, 2) + 0.5 * wave(3, 1)
    inner = [wave(*(int(0.9 * h) for h in highest))]
    shell = [wave(highest[0], 1), wave(2, highest[1]), wave(int(0.9 * highest[0]) + 1, 3)]
    beyond = [wave(highest[0] + 1, 1), wave(1, highest[1] + 1)]
    for extra, counted in [
        (inner, 0),
        (beyond, 0),
        *[([s], 1) for s in shell],
        (shell, 1),
        (shell + inner + beyond, 1),
    ]:
        u = body + 1e-3 * sum(extra)
        inside = body + 1e-3 * sum(e for e in extra if not any(e is b for b in beyond))
        outer = 1e-3 * sum(e for e in extra if any(e is s for s in shell)) if counted else torch.zeros_like(u)
        want = outer.norm() / inside.norm()
        got = spectrum_tail(u[None, None], grid, degree)
        assert float(got) == pytest.approx(float(want), rel=1e-9, abs=1e-14)


def test_the_worst_field_counts_and_nothing_is_zero() -> None:
    grid = Grid((32,))
    x = 2 * torch.pi * grid.points[0]
    good, bad, none = torch.sin(x), 1 + torch.sin(10 * x), torch.zeros_like(x)
    u = torch.stack([torch.stack([good, bad]), torch.stack([good, none]), torch.stack([none, none])])
    assert spectrum_tail(u, grid, 2).tolist() == pytest.approx([3**-0.5, 0, 0], abs=1e-15)


def test_every_frame_has_its_tail_in_the_files(recipe, finished: Path) -> None:
    for split, count in (("train", 7), ("test", 3)):
        u = recipe.integrate(recipe.inputs(3, split, range(count)), recipe.grid, 1).u
        want = torch.stack([spectrum_tail(frame, recipe.grid, 2) for frame in u.unbind(1)], 1)
        found = open_data(finished, split).diagnostic("spectrum_tail")
        assert found.shape == (count, 6)
        assert torch.allclose(found.double(), want, rtol=1e-5)
    with pytest.raises(DataError, match="did you mean 'spectrum_tail'"):
        open_data(finished).diagnostic("spectrum")


def test_unresolved_frames_are_counted_and_found(make_recipe, tmp_path: Path, make) -> None:
    """Burgers at small ν steepens: late frames do not fit on 32 points."""
    seen: list[str] = []
    rough = make_recipe(equation=Burgers(nu=5e-3), dt=0.01, times=Frames(0, 0.5, 6))
    folder = make(rough, tmp_path / "waves", progress=lambda done, total, message: seen.append(message))
    tails = torch.cat([open_data(folder, split).diagnostic("spectrum_tail") for split in ("train", "valid", "test")])
    flagged = int((tails > 1e-3).sum())
    assert 0 < flagged < tails.numel()
    assert tails[:, 0].max() < tails[:, -1].max()
    told = json.loads((folder / "manifest.json").read_text())["diagnostics"]["spectrum_tail"]
    assert told["flagged"] == flagged
    assert told["largest"] == float(tails.max())
    assert f"{flagged} of {tails.numel()} frames above 0.001" in (folder / "card.md").read_text()
    assert f"{flagged} of {tails.numel()} frames have a spectrum tail above 0.001" in seen[-1]


def test_the_tail_is_that_of_the_solvers_grid(make_recipe) -> None:
    from kanop.datasets import EveryPoint, Truncated

    whole, *thin = (make_recipe(store=s).record(3, "train", [0]) for s in (EveryPoint(), EveryPoint(4), Truncated(4)))
    for recorded in thin:
        assert torch.equal(recorded.diagnostics["spectrum_tail"], whole.diagnostics["spectrum_tail"])
