"""The built wheel: one top-level name, complete, and no neighbour of it harmed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("kanop", "solvers", "datasets", "configs", "scripts")
HUGGING_FACE = 'OWNER = "Hugging Face"\n'


def run(*words: str | Path, cwd: Path, site: Path | None = None) -> str:
    """Standard output of a process that sees `site` before anything else that is installed."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if site is not None:
        env["PYTHONPATH"] = str(site)
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: building leaves folders behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", out)
    run(*pip, source, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed and, before that, a stand-in for Hugging Face's `datasets`."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "datasets").mkdir()
    (folder / "datasets" / "__init__.py").write_text(HUGGING_FACE)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder)
    run(*pip, wheel, cwd=folder)
    return folder


def test_the_wheel_has_one_top_level_name(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"kanop"}


def test_the_wheel_holds_every_module_configuration_and_template(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for part in PARTS[1:]:
        for pattern in ("*.py", "*.yaml"):
            files = {f"kanop/{path.relative_to(ROOT)}" for path in (ROOT / part).rglob(pattern)}
            assert files <= names, files - names
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "kanop/evaluation/templates").iterdir()}
    assert templates
    assert templates <= names
    assert "kanop/py.typed" in names
    assert not [name for name in names if "tests" in name or name.endswith(".pyc")]


def test_hugging_faces_datasets_is_found_from_python_elsewhere(site: Path, tmp_path: Path) -> None:
    code = "import kanop, kanop.datasets, datasets; print(datasets.OWNER, kanop.__file__, kanop.datasets.__name__)"
    owner, _, rest = run(sys.executable, "-c", code, cwd=tmp_path, site=site).partition(" Face ")
    assert owner == "Hugging"
    assert rest == f"{site / 'kanop' / '__init__.py'} kanop.datasets"


def test_hugging_faces_datasets_is_found_from_the_console_script(site: Path, tmp_path: Path) -> None:
    """The script's own `__main__` runs `kanop list`; a module that a command loads sees Hugging Face's package."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit\ndef look():\n    import datasets\n    print(datasets.OWNER)\natexit.register(look)\n"
    )
    path = os.pathsep.join([str(site), str(tmp_path)])
    out = run(site / "bin" / "kanop", "list", "group=schemes", cwd=tmp_path, site=Path(path))
    assert out.splitlines()[-1] == "Hugging Face"
    assert "etdrk4" in out


@pytest.mark.parametrize("cwd", ["elsewhere", "checkout"])
def test_hugging_faces_datasets_is_found_under_pytest(cwd: str, site: Path, tmp_path: Path) -> None:
    test = tmp_path / "test_found.py"
    test.write_text("import datasets\n\ndef test_owner():\n    assert datasets.OWNER == 'Hugging Face'\n")
    folder = ROOT if cwd == "checkout" else tmp_path
    pytest_script = Path(sys.executable).parent / "pytest"
    assert "1 passed" in run(pytest_script, "-q", "-p", "no:cacheprovider", test, cwd=folder, site=site)


@pytest.mark.slow
def test_the_real_package_of_hugging_face(tmp_path: Path) -> None:
    """As above with the package itself, where a registry is within reach."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "hf"), "datasets"]
    if subprocess.run(pip, capture_output=True).returncode != 0:
        pytest.skip("no registry within reach")
    code = "import importlib.util, kanop; print(importlib.util.find_spec('datasets').origin)"
    assert run(sys.executable, "-c", code, cwd=tmp_path, site=tmp_path / "hf").startswith(str(tmp_path / "hf"))


def test_links_of_the_checkout_are_relative() -> None:
    for part in PARTS[1:]:
        link = ROOT / "kanop" / part
        assert link.is_symlink()
        assert link.readlink() == Path("..") / part
