"""Operators of known errors are ranked by them, on equal tests only."""

import pytest

from kanop.cli import main
from kanop.evaluation import draw_ranking, evaluate, ranking
from kanop.solvers import KanopError


@pytest.fixture
def judged(drifting, spec, kit):
    def judge(share, **more):
        return evaluate(kit.Operator(spec, kit.shift(0.05, scale=1 + share)), drifting, factors=(1,), **more)

    return judge


def test_the_least_error_comes_first(judged, tmp_path):
    found = {"bad": judged(0.3), "good": judged(0.01), "fair": judged(0.1)}
    rows = ranking(found).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == ["good", "fair", "bad"]
    path = draw_ranking(found, tmp_path / "ranking.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_unequal_tests_are_not_ranked(judged):
    with pytest.raises(KanopError, match="a was tested with samples = 5, b with 3"):
        ranking({"a": judged(0.1), "b": judged(0.2, samples=3)})
    with pytest.raises(KanopError, match="two runs or more"):
        ranking({"a": judged(0.1)})


def test_the_command_ranks_several_runs(judged, tmp_path, capsys):
    for name, share in (("a", 0.2), ("b", 0.1)):
        (tmp_path / name).mkdir()
        judged(share).save(tmp_path / name / "evaluation.json")
    picture = tmp_path / "both.png"
    main(["report", f"run=[{tmp_path / 'a'},{tmp_path / 'b'}]", f"picture={picture}"])
    out = capsys.readouterr().out
    assert out.index("| b |") < out.index("| a |")
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(["report", f"run=[{tmp_path / 'a'},{tmp_path / 'nowhere'}]", f"picture={picture}"])
    assert "nowhere" in capsys.readouterr().err
