"""`kanop gallery`: every evolution that kanop ships has a scene, and a picture is drawn from its solution."""

import pytest

from kanop import solvers
from kanop.cli import main
from kanop.scripts.gallery import scenes


def test_every_equation_has_a_scene() -> None:
    shown = {type(scene.equation) for _, scene in scenes()}
    shipped = [getattr(solvers, name) for name in solvers.__all__]
    evolutions = {c for c in shipped if isinstance(c, type) and issubclass(c, solvers.Equation)} - {solvers.Equation}
    assert evolutions <= shown


@pytest.mark.parametrize("only", ["only=[advection]", "only=advection"])
def test_chosen_pictures_are_drawn_and_the_page_is_left_alone(tmp_path, only) -> None:
    main(["gallery", f"folder={tmp_path}", only])
    assert [path.name for path in (tmp_path / "gallery").iterdir()] == ["advection.png"]
    assert (tmp_path / "gallery" / "advection.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "gallery.md").exists()


def test_an_unknown_picture_is_answered_with_the_nearest(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["gallery", f"folder={tmp_path}", "only=[wawe]"])
    assert "did you mean 'wave'" in capsys.readouterr().err
