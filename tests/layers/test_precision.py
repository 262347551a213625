"""SpectralConv in low precision: the float64 convolution within one table of tolerances, on either path and device."""

from __future__ import annotations

import pytest
import torch
from torch.overrides import TorchFunctionMode

from kanop.layers import Pointwise, SpectralConv, set_precision, spectral_conv, tensor_cores
from kanop.layers.dft import Axis
from kanop.solvers import KanopError

F64 = torch.float64
NUMBERS = {"full": torch.float32, "tf32": "tf32", "bf16": torch.bfloat16, "half": torch.float16}
CASES = [
    ((64,), (12,), (64,)),
    ((32, 16), (8, 8), (32, 16)),
    ((16, 32), (8, 6), (32, 16)),
    ((8, 8, 8), (8, 4, 6), (8,) * 3),
]


def errors(conv, shape, target, device="cpu"):
    """Relative L2 errors of the value and of every gradient, against float64 on the CPU."""
    torch.manual_seed(1)
    skip = torch.randn(3, 2, dtype=F64) if shape == target else None
    tensors = [torch.randn(2, 2, *shape, dtype=F64), torch.randn(2, 3, *target, dtype=F64), skip]
    exact = SpectralConv(2, 3, conv.n_modes, path="fft").double()
    exact.load_state_dict(conv.state_dict())
    results = []
    for layer, where, dtype in ((exact, "cpu", F64), (conv.to(device), device, torch.float32)):
        u, g, skip = (None if t is None else t.to(where, dtype, copy=True) for t in tensors)
        leaves = [t.requires_grad_() for t in (u, skip) if t is not None] + list(layer.parameters())
        v = layer(u, target, skip)
        results.append([v.detach(), *torch.autograd.grad(v, leaves, g)])
    assert all(t.dtype == torch.float32 for t in results[1])
    return [float((a.cpu() - b).norm() / b.norm()) for a, b in zip(results[1], results[0], strict=True)]


def convolution(n_modes, path, precision):
    torch.manual_seed(0)
    return SpectralConv(2, 3, n_modes, path=path, precision=precision)


def to_tf32(a):
    """Rounded to the 10 bits of mantissa that TF32 has."""
    return ((a.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


@pytest.fixture
def tensor_core(monkeypatch):
    """Products as CUDA makes them, in TF32 exactly where the setting allows it."""

    def multiply(a, b):
        low = torch.backends.cuda.matmul.fp32_precision == "tf32"
        return to_tf32(a) @ to_tf32(b) if low else a @ b

    monkeypatch.setattr(tensor_cores, "_multiply", multiply)


class CuFFT(TorchFunctionMode):
    """Transforms of half precision, which a CPU does not have: its own, rounded before and after, also backward."""

    transforms = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        wide = {torch.float16: torch.float32, torch.complex32: torch.complex64}
        narrow = {value: key for key, value in wide.items()}
        if func not in (torch.fft.rfft, torch.fft.irfft, torch.fft.fft, torch.fft.ifft) or args[0].dtype not in wide:
            return func(*args, **(kwargs or {}))
        self.transforms += 1
        values = func(args[0].to(wide[args[0].dtype]), *args[1:], **(kwargs or {}))
        return values.to(narrow[values.dtype])


@pytest.mark.parametrize("precision", ["full", "bf16", "half", "tf32"])
@pytest.mark.parametrize(("shape", "n_modes", "target"), CASES)
def test_matrices_give_the_exact_convolution_to_their_precision(
    shape, n_modes, target, precision, tolerances, tensor_core
):
    found = errors(convolution(n_modes, "dft", precision), shape, target)
    assert max(found) < tolerances[NUMBERS[precision]]["tight"]
    if precision != "full":  # the value and every gradient were rounded: backward, too, ran in this precision
        assert min(found) > tolerances[torch.float32]["tight"]


@pytest.mark.parametrize(("shape", "n_modes", "target"), CASES)
def test_ffts_of_half_precision_give_the_exact_convolution_to_theirs(shape, n_modes, target, monkeypatch, tolerances):
    monkeypatch.setattr(spectral_conv, "has_half_fft", lambda device, axes: True)
    with CuFFT() as emulated:
        found = errors(convolution(n_modes, "fft", "half"), shape, target)
    assert emulated.transforms == 2 * len(shape)
    assert tolerances[torch.float32]["tight"] < min(found)
    assert max(found) < tolerances[torch.float16]["tight"]


@pytest.mark.parametrize("precision", ["tf32", "bf16", "half"])
def test_ffts_stay_in_full_precision_where_there_is_no_lower_one(precision, tolerances):
    assert max(errors(convolution((8, 6), "fft", precision), (16, 16), (16, 16))) < tolerances[torch.float32]["tight"]


def test_half_ffts_are_those_of_cuda_on_powers_of_two():
    def axes(*sizes):
        return [Axis(n, 0, 0, False) for n in sizes]

    assert spectral_conv.has_half_fft(torch.device("cuda"), axes(1, 2, 64, 1024))
    assert not any(spectral_conv.has_half_fft(torch.device("cuda:1"), axes(64, n)) for n in (3, 12, 63, 65, 96))
    assert not spectral_conv.has_half_fft(torch.device("cpu"), axes(64))


@pytest.mark.parametrize("before", ["none", "ieee", "tf32"])
def test_the_setting_of_the_process_is_put_back(before):
    setting = torch.backends.cuda.matmul
    found, setting.fp32_precision = setting.fp32_precision, before
    try:
        with tensor_cores.allow_tf32():
            assert setting.fp32_precision == "tf32"
        with pytest.raises(KeyError), tensor_cores.allow_tf32():
            raise KeyError
        assert setting.fp32_precision == before
        convolution((8,), "dft", "tf32")(torch.randn(1, 2, 16)).sum().backward()
        assert setting.fp32_precision == before
    finally:
        setting.fp32_precision = found


@pytest.mark.parametrize("lead", [(), (4,)])
def test_products_in_tf32_have_first_and_second_derivatives(lead):
    sizes = [(*lead, 2, 3), (*lead, 3, 2), (*lead, 2, 3), (*lead, 3, 2)]
    matrices = [torch.randn(size, dtype=F64, requires_grad=True) for size in sizes]
    a, b, c, d = matrices
    assert torch.allclose(tensor_cores.sum_of_products(*matrices, -1, True), a @ b - c @ d, atol=1e-14)
    assert torch.autograd.gradcheck(lambda *m: tensor_cores.sum_of_products(*m, -1, True), matrices)
    assert torch.autograd.gradgradcheck(lambda a, b: tensor_cores.matmul(a, b, True), (a, b))


@pytest.mark.parametrize(("path", "precision"), [("dft", "full"), ("dft", "tf32"), ("dft", "bf16"), ("fft", "full")])
def test_a_compiler_takes_the_layer_whole_and_its_tables_as_constants(path, precision, unchecked):
    torch.compiler.reset()
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    conv, u = convolution((6, 8), path, precision), torch.randn(2, 2, 16, 12)
    compiled = torch.compile(conv, backend=backend, fullgraph=True)
    assert torch.equal(compiled(u), conv(u))
    made = {getattr(node.target, "__name__", node.target) for graph in graphs for node in graph.graph.nodes}
    assert len(graphs) == 1
    assert not made & {"arange", "outer", "cos", "sin", "where"}


def test_set_precision_reaches_every_spectral_convolution():
    model = torch.nn.Sequential(
        convolution((4,), "dft", "full"), torch.nn.ModuleList([convolution((4,), "fft", "half")])
    )
    assert set_precision(model, "bf16") is model
    assert {layer.precision for layer in model.modules() if isinstance(layer, SpectralConv)} == {"bf16"}
    with pytest.raises(KanopError, match="did you mean 'tf32'"):
        set_precision(model, "tf23")
    with pytest.raises(KanopError, match="Pointwise has no SpectralConv"):
        set_precision(Pointwise(1, 1), "tf32")
    with pytest.raises(KanopError, match="did you mean 'half'"):
        SpectralConv(1, 1, (4,), precision="hlaf")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", NUMBERS)
@pytest.mark.parametrize("path", ["dft", "fft"])
@pytest.mark.parametrize(("shape", "n_modes", "target"), [*CASES, ((33, 65), (12, 12), (33, 65))])
def test_cuda_gives_the_exact_convolution_to_its_precision(shape, n_modes, target, path, precision, tolerances):
    conv = convolution(n_modes, path, precision)
    found = errors(conv, shape, target, "cuda")
    low = path == "dft" or (precision == "half" and shape != (33, 65))
    assert max(found) < tolerances[NUMBERS[precision] if low else torch.float32]["tight"]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["full", "tf32", "bf16", "half"])
def test_cuda_compiles_to_the_same_convolution(precision, tolerances):
    torch.compiler.reset()
    conv = convolution((8, 8), "dft", precision).cuda()
    u = torch.randn(2, 2, 32, 32, device="cuda")
    v, w = torch.compile(conv, fullgraph=True)(u), conv(u)
    assert (v - w).norm() < tolerances[NUMBERS[precision]]["tight"] * w.norm()
