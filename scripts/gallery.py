"""`kanop gallery`: one picture an equation, solved anew, and the page that shows them."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from kanop.solvers import Equation, Geometry

TAU = 2 * math.pi


@dataclass(frozen=True)
class Scene:
    """What one picture shows: u₀ from `start`, then the solution at `frames` + 1 equally spaced times up to `stop`."""

    equation: Equation[Any]
    grid: Geometry
    start: Callable[[Any], Tensor]
    stop: float
    dt: float
    frames: int = 100


def gallery(config: dict[str, Any]) -> None:
    """Solve and draw every scene; the page lists those whose pictures are there."""
    from kanop.scripts.console import say, stage
    from kanop.solvers.errors import check, nearest

    makers: dict[str, Callable[[], tuple[bytes, str]]] = {
        "darcy": _darcy,
        **{name: partial(_evolution, scene) for name, scene in scenes()},
    }
    only = config["only"]
    names = list(makers) if only is None else [only] if isinstance(only, str) else list(only)
    for name in names:
        check(name in makers, nearest(str(name), makers, "picture"))
    folder = Path(config["folder"])
    (folder / "gallery").mkdir(parents=True, exist_ok=True)
    entries = []
    for name in sorted(makers):
        if name in names:
            with stage(name):
                picture, words = makers[name]()
                (folder / "gallery" / f"{name}.png").write_bytes(picture)
                entries.append(f"## {name.replace('_', ' ')}\n\n{words}\n\n![{name}](gallery/{name}.png)\n")
    if names == list(makers):
        head = "# One picture an equation\n\nMade by `kanop gallery`: what was solved, and how long it took.\n"
        (folder / "gallery.md").write_text("\n".join([head, *entries]), encoding="utf-8")
        say(f"wrote {folder / 'gallery.md'}")


def _evolution(scene: Scene) -> tuple[bytes, str]:
    import torch

    from kanop.datasets.preview import preview_png
    from kanop.solvers import solve

    begin = time.perf_counter()
    times = torch.linspace(0, scene.stop, scene.frames + 1, dtype=torch.float64).tolist()
    run = solve(scene.equation, scene.start(scene.grid), scene.grid, times, dt=scene.dt)
    seconds = time.perf_counter() - begin
    given = run.u.new_empty(1, 0, *scene.grid.shape)
    picture = preview_png((run.u, given), scene.grid, times, (scene.equation.channels, ()))
    return picture, _words(scene.equation, scene.grid, f"dt = {scene.dt:.4g} to t = {scene.stop:g}", seconds)


def _darcy() -> tuple[bytes, str]:

    from kanop.datasets.preview import preview_png
    from kanop.solvers import Darcy, GaussianRandomField, Grid, TwoPhase

    grid, equation = Grid((421, 421), boundaries="dirichlet"), Darcy()
    a = TwoPhase(GaussianRandomField(1.0, 3.0, 2.0, boundaries="neumann")).sample(grid, 0, "train", [0])
    begin = time.perf_counter()
    solution = equation.solve(a, grid)
    seconds = time.perf_counter() - begin
    picture = preview_png((solution.u[:, None], a), grid, [0.0], (equation.channels, ("a",)))
    return picture, _words(equation, grid, f"residual {float(solution.residual[0]):.0e}", seconds)


def _words(equation: Any, grid: Any, how: str, seconds: float) -> str:
    import torch

    from kanop.solvers import SphereGrid

    formula = inspect.cleandoc(type(equation).__doc__ or "").split("\n")[0]
    points = " × ".join(map(str, grid.shape))
    if isinstance(grid, SphereGrid):
        place = f"a sphere of radius {grid.radius:.4g}"
    else:
        walls = "" if set(grid.boundaries) == {"periodic"} else f", {grid.boundaries[0]} walls"
        place = " × ".join(f"{length:.4g}" for length in grid.lengths) + walls
    return (
        f"{formula}\n\n`{equation}`; {points} points on {place}; {how}; "
        f"{seconds:.1f} s, {torch.get_num_threads()} threads."
    )


def scenes() -> Iterator[tuple[str, Scene]]:
    """(name, scene) of every evolution."""
    yield from _lines()
    yield from _planes()
    yield from _spaces()
    yield from _spheres()


def _drawn(law: Any) -> Callable[[Any], Tensor]:
    """The first training sample of a law of random fields."""
    return lambda grid: law.sample(grid, 0, "train", [0])


def _formula(function: Callable[..., Sequence[Tensor]]) -> Callable[[Any], Tensor]:
    import torch

    return lambda grid: torch.stack([f + 0 * grid.mesh()[0] for f in function(*grid.mesh())])[None]


def _lines() -> Iterator[tuple[str, Scene]]:
    from kanop import solvers as s

    one, wide = s.Grid((256,)), s.Grid((256,), [40.0], origin=[-20.0])
    waves = _drawn(s.TruncatedFourier())
    yield "advection", Scene(s.Advection([0.3]), one, waves, 2.0, 0.02)
    yield "burgers", Scene(s.Burgers(0.005), s.Grid((1024,)), waves, 1.0, 1 / 2048)
    yield "diffusion", Scene(s.Diffusion(0.002), one, waves, 1.0, 0.01)
    yield "kuramoto_sivashinsky", Scene(s.KuramotoSivashinsky(), s.Grid((512,), [128.0]), waves, 150.0, 0.05, 300)
    yield (
        "korteweg_de_vries",
        Scene(
            s.KortewegDeVries(),
            wide,
            _formula(lambda x: [4.5 / (1.5 * (x + 12)).cosh() ** 2 + 1.0 / (0.5**0.5 * (x + 2)).cosh() ** 2]),
            6.0,
            1 / 512,
        ),
    )
    yield (
        "nonlinear_schroedinger",
        Scene(
            s.NonlinearSchroedinger(),
            wide,
            _formula(lambda x: [2 / x.cosh(), 0 * x]),
            2 * math.pi,
            math.pi / 2000,
        ),
    )
    yield (
        "fisher_kpp",
        Scene(
            s.FisherKPP(diffusivity=1.0, rate=1.0),
            s.Grid((512,), [80.0], origin=[-40.0]),
            _formula(lambda x: [(-(x**2)).exp()]),
            16.0,
            0.02,
        ),
    )

    patches = s.HeterogeneousDiffusion(s.CosineMedium(1.0, 0.8, TAU / 8), rate=1.0)
    yield (
        "heterogeneous_diffusion",
        Scene(patches, s.Grid((512,), [80.0], origin=[-40.0]), _formula(lambda x: [(-(x**2)).exp()]), 16.0, 0.02),
    )


def _planes() -> Iterator[tuple[str, Scene]]:
    import torch

    from kanop import solvers as s

    square, torus = s.Grid((128, 128)), s.Grid((256, 256), [TAU, TAU])
    rough = s.GaussianRandomField(sigma=7**1.5 * 2**0.5, tau=7.0, alpha=2.5)

    def two(law: Any) -> Callable[[Any], Tensor]:
        return lambda grid: torch.cat([law.sample(grid, i, "train", [0]) for i in range(2)], 1)

    yield "allen_cahn", Scene(s.AllenCahn(), square, _drawn(s.TruncatedFourier(modes=10)), 4.0, 0.01)
    yield "burgers_2d", Scene(s.Burgers2D(0.002), square, two(s.TruncatedFourier(modes=2)), 1.0, 1 / 512)
    noise = s.CellNoise(cells=128)
    walls = s.Grid((128, 128), [2.0, 2.0], boundaries="neumann", origin=[-1.0, -1.0])
    yield "fitzhugh_nagumo", Scene(s.FitzHughNagumo(), walls, _drawn(noise), 5.0, 0.01)
    plane = s.Grid((128, 128), [100.0, 100.0])
    yield (
        "ginzburg_landau",
        Scene(s.GinzburgLandau(b=0.0, c=-1.5), plane, two(s.TruncatedFourier(modes=8)), 60.0, 0.05),
    )
    dish = s.Grid((128, 128), [20.0, 20.0], boundaries="neumann", origin=[-10.0, -10.0])
    spiral = s.Spiral(shift=0.0, border=0.0)
    yield "spiral", Scene(s.GinzburgLandau(b=0.0, c=-1.0, diffusivity=0.1), dish, _drawn(spiral), 20.0, 0.02)
    well = s.Grid((128, 128), [2.0, 2.0], origin=[-1.0, -1.0])
    yield "gray_scott", Scene(s.GrayScott(feed=0.029, kill=0.057), well, _drawn(s.GaussianBlobs()), 5000.0, 1.0)
    flow = s.NavierStokes2D(1e-4, forcing=s.FNOForcing())
    yield "navier_stokes_2d", Scene(flow, s.Grid((256, 256)), _drawn(rough), 12.0, 1 / 100)
    decay = s.NavierStokes2D(1e-4)
    yield "mcwilliams_decay", Scene(decay, torus, _drawn(s.McWilliams()), 20.0, 1 / 64)
    pond = s.Grid((128, 128), boundaries="dirichlet")
    drop = _formula(lambda x, y: [(-200 * ((x - 0.35) ** 2 + (y - 0.6) ** 2)).exp(), 0 * x])
    yield "wave", Scene(s.Wave(1.0), pond, drop, 0.8, 0.01)


def _spaces() -> Iterator[tuple[str, Scene]]:
    from kanop import solvers as s

    box = s.Grid((48, 48, 48), [TAU] * 3)
    yield "navier_stokes_3d", Scene(s.NavierStokes3D(0.01), box, _drawn(s.SolenoidalNoise()), 2.0, 0.02, 20)


def _spheres() -> Iterator[tuple[str, Scene]]:
    from kanop import solvers as s
    from kanop.solvers.sphere import Deformation, Jet
    from kanop.solvers.sphere.cases import DAY, EARTH, GRAVITY, cosine_bell

    unit, earth = s.SphereGrid((64, 128)), s.SphereGrid((96, 192), radius=EARTH)
    stirred = s.SphereTransport(Deformation(strength=6.0), diffusivity=1e-4)
    off_centre = partial(cosine_bell, width=0.8, longitude=5 * math.pi / 6)
    yield "sphere_transport", Scene(stirred, unit, off_centre, 1.0, 1 / 256)
    swirls = _drawn(s.GaussianRandomField(1e4, 10.0, 3.5))
    turning = s.BarotropicVorticity(TAU, viscosity=3e-13, power=4)
    yield "barotropic_vorticity", Scene(turning, unit, swirls, 10.0, 0.02)
    water = s.ShallowWater(mean=1e4 * GRAVITY, viscosity=1e5)
    yield "shallow_water", Scene(water, earth, lambda grid: Jet().state(grid), 6 * DAY, 900.0)


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["gallery", *sys.argv[1:]], script=[sys.argv[0]])
