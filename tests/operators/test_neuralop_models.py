"""neuraloperator's other models behind our interface: equal to the library's own, called as the library wants it."""

from __future__ import annotations

import contextlib
import io
import warnings

import pytest
import torch

from kanop.operators import CODANO, FNO, FNOGNO, GINO, TFNO, UNO, LocalNO, load_neuralop_weights
from kanop.operators.neuralop_model import NeuralopModel
from kanop.solvers import FieldSpec, Grid, KanopError


def library(name, *arguments, **options):
    """A model made by the library itself, as its documentation shows."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        import neuralop.models

        return getattr(neuralop.models, name)(*arguments, **options)


def same_weights(ours, theirs):
    """`theirs` with the weights of `ours`; they have the same names below the wrapper's."""
    state = {name.removeprefix("model.").removeprefix("model."): w for name, w in ours.state_dict().items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith(("_metadata", "differential.0.weight", "differential.1.weight")) for name in missing)
    return theirs


SHAPES = [(16,), (12, 12), (8, 6, 10)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("factorization", ["tucker", "cp", "tt"])
def test_a_tfno_equals_the_librarys_and_a_full_fno_with_its_tables(shape, factorization):
    spec = FieldSpec(Grid(shape), ["u", "v"], ["a"])
    modes = [6] * len(shape)
    ours = TFNO(spec, modes, 8, n_layers=2, factorization=factorization, rank=0.4)
    options = {"factorization": factorization, "rank": 0.4, "n_layers": 2, "positional_embedding": "grid"}
    theirs = library("TFNO", n_modes=modes, in_channels=3, out_channels=2, hidden_channels=8, **options)
    u = torch.randn(2, 3, *shape)
    assert torch.equal(ours(u), same_weights(ours, theirs)(u))
    full = FNO(spec, modes, 8, n_layers=2)
    load_neuralop_weights(full, ours.model)
    assert torch.allclose(full(u), ours(u), atol=1e-5)


def test_a_lower_rank_has_fewer_parameters():
    spec = FieldSpec(Grid((32, 32)), ["u"])
    small, large = (sum(p.numel() for p in TFNO(spec, (16, 16), 16, rank=r).parameters()) for r in (0.05, 0.5))
    assert small < 0.5 * large


@pytest.mark.parametrize("shape", SHAPES)
def test_a_uno_equals_the_librarys(shape):
    spec, d = FieldSpec(Grid(shape), ["u"]), len(shape)
    ours = UNO(spec, [6] * d, 4)
    theirs = library(
        "UNO", 1, 1, 4, lifting_channels=8, projection_channels=8, n_layers=5, channel_mlp_skip="linear",
        uno_out_channels=[4, 8, 8, 8, 4], uno_n_modes=[[m] * d for m in (6, 3, 3, 3, 6)],
        uno_scalings=[[s] * d for s in (1.0, 0.5, 1.0, 2.0, 1.0)],
    )  # fmt: skip
    u = torch.randn(2, 1, *shape)
    assert torch.equal(ours(u), same_weights(ours, theirs)(u))


def test_a_uno_goes_down_and_up_again():
    model = UNO(FieldSpec(Grid((32, 16)), ["u"]), (8, 8), 4, n_levels=2)
    seen = []
    for block in model.model.fno_blocks:
        block.register_forward_hook(lambda module, given, out: seen.append(tuple(out.shape[1:])))
    assert model(torch.randn(1, 1, 32, 16)).shape == (1, 1, 32, 16)
    down, bottom = [(4, 32, 16), (8, 16, 8), (16, 8, 4)], [(16, 8, 4)]
    assert seen == [*down, *bottom, (16, 16, 8), (8, 32, 16), (4, 32, 16)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_local_no_equals_the_librarys_where_that_is_defined(shape):
    spec, d = FieldSpec(Grid(shape), ["u"]), len(shape)
    ours = LocalNO(spec, [6] * d, 4, n_layers=2)
    theirs = library("LocalNO", [6] * d, 1, 1, 4, shape, n_layers=2, disco_layers=d == 2)
    u = torch.randn(2, 1, *shape)
    assert torch.allclose(ours(u), same_weights(ours, theirs)(u), atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 12), (12, 8), (49, 49)])
def test_a_local_no_takes_grids_on_which_the_librarys_defaults_fail(shape):
    """An oblong grid, and one where 2 · (2/n) · n / 2 rounds below 2: the kernel has an even side there."""
    with pytest.raises(RuntimeError, match="must match"):
        library("LocalNO", (4, 4), 1, 1, 4, shape, n_layers=1)(torch.randn(1, 1, *shape))
    u = torch.randn(1, 1, *shape)
    assert LocalNO(FieldSpec(Grid(shape), ["u"]), (4, 4), 4, n_layers=1)(u).shape == u.shape


@pytest.mark.parametrize("position", [True, False])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_a_codano_equals_the_first_channels_of_the_librarys(shape, position):
    spec, d = FieldSpec(Grid(shape), ["u", "v"], ["a"]), len(shape)
    ours = CODANO(spec, [6] * d, 4, n_layers=2, position=position)
    names = ["u(t)", "v(t)", "a"] if position else None
    theirs = library(
        "CODANO", hidden_variable_codimension=4, lifting_channels=8, projection_channels=8, n_layers=2,
        n_modes=[[6] * d] * 2, n_heads=[2] * 2, per_layer_scaling_factors=[[1] * d] * 2,
        attention_scaling_factors=[1] * 2, domain_padding=None, use_positional_encoding=position,
        positional_encoding_modes=[6] * d if position else None, variable_ids=names,
    )  # fmt: skip
    u = torch.randn(2, 3, *shape)
    want = same_weights(ours, theirs)(u, input_variable_ids=names)
    assert torch.equal(ours(u), want[:, :2])


def test_a_codano_without_position_does_not_tell_channels_apart():
    spec = FieldSpec(Grid((8, 8)), ["u", "v"])
    u = torch.randn(2, 2, 8, 8)
    blind, named = (CODANO(spec, (4, 4), 4, n_layers=1, position=position) for position in (False, True))
    assert torch.allclose(blind(u.flip(1)), blind(u).flip(1), atol=1e-5)
    assert not torch.allclose(named(u.flip(1)), named(u).flip(1), atol=1e-4)


def points(shape):
    return torch.cartesian_prod(*[torch.arange(n) / n for n in shape]).reshape(-1, len(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_kernels_on_balls_equal_the_librarys_at_the_points_of_the_grid(shape):
    spec, d = FieldSpec(Grid(shape), ["u"], ["a"]), len(shape)
    plain = {"gno_use_open3d": False, "gno_use_torch_scatter": False, "gno_coord_dim": d, "fno_n_layers": 1}
    sizes = {"fno_n_modes": [4] * d, "fno_hidden_channels": 4}
    u, x = torch.randn(2, 2, *shape), points(shape)
    table = u.flatten(2).mT
    ours = FNOGNO(spec, [4] * d, 4, n_layers=1, radius=0.2)
    theirs = same_weights(ours, library("FNOGNO", 2, 1, gno_radius=0.2, gno_batched=True, **sizes, **plain))
    want = theirs(x.reshape(*shape, d), x, table.reshape(2, *shape, 2))
    assert torch.equal(ours(u).flatten(2).mT, want)
    ours = GINO(spec, [4] * d, hidden_channels=4, n_layers=1, radius=0.2)
    radii = {"in_gno_radius": 0.2, "out_gno_radius": 0.2, "fno_in_channels": 2}
    theirs = same_weights(ours, library("GINO", 2, 1, **radii, **sizes, **plain))
    want = theirs(x[None], x.reshape(1, *shape, d), x[None], x=table)
    assert torch.equal(ours(u).flatten(2).mT, want)


def test_only_walls_are_padded():
    spec = FieldSpec(Grid((16, 16), boundaries=("periodic", "dirichlet")), ["u"])
    for model in (TFNO(spec, (4, 4), 4), UNO(spec, (4, 4), 4), LocalNO(spec, (4, 4), 4)):
        assert model.model.domain_padding.domain_padding == [0.0, 0.125]
    free = FieldSpec(Grid((16, 16)), ["u"])
    for model in (TFNO(free, (4, 4), 4), UNO(free, (4, 4), 4), LocalNO(free, (4, 4), 4)):
        assert model.model.domain_padding is None
    assert CODANO(free, (4, 4), 4, n_layers=1).model.model.domain_padding is None
    assert CODANO(spec, (4, 4), 4, n_layers=1).model.model.domain_padding.domain_padding == 0.125


def test_the_base_makes_no_operator():
    with pytest.raises(TypeError, match="abstract"):
        NeuralopModel(FieldSpec(Grid((8,)), ["u"]), lambda models: torch.nn.Identity())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: TFNO(s, (40, 4)), "n_modes=\\(40, 4\\)"),
        (lambda s: TFNO(s, (4, 4), factorization="tuker"), "did you mean 'tucker'"),
        (lambda s: TFNO(s, (4, 4), rank=0.0), "rank"),
        (lambda s: UNO(s, (4, 4), n_levels=0), "got 0"),
        (lambda s: UNO(s, (4, 4), n_levels=4), "down to 2 points; got 4"),
        (lambda s: FNOGNO(s, (4, 4), radius=0.01), "reach no neighbour on an axis of 16 points"),
        (lambda s: GINO(s, (4, 4), latent=(4, 4), radius=0.1), "reach no neighbour on an axis of 4 points"),
        (lambda s: CODANO(FieldSpec(Grid((16,)), ["u"]), (4,)), "2 or 3 axes, got 1"),
        (lambda s: LocalNO(s, (4, 4), padding=-1.0), "padding"),
        (lambda s: LocalNO(s, (4, 4), 4).double(), "LocalNO of its library works in float32 only"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    walls = FieldSpec(Grid((16, 16), boundaries="dirichlet"), ["u"])
    with pytest.raises(KanopError, match=message):
        make(walls)
