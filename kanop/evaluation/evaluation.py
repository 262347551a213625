"""`Evaluation`: everything that the report says, as plain numbers, lists and small arrays."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from kanop.solvers import DataError
from kanop.solvers.errors import check

__all__ = ["Evaluation", "plain"]


@dataclass(frozen=True)
class Evaluation:
    """An operator judged on data that it has not seen.

    Attributes
    ----------
    kind : "rollout" (frames fed back) or "map" (one call: one-shot and steady problems)
    setting : what was learnt, by which operator, tested on what, on which machine
    scores : single numbers by name; None where they are not finite (a sample diverged) or were not reached
    curves : lists over lead time: "times", "errors" by baseline, "correlation", "bands", "invariants", …
    spectra : one entry a lead time: "time", "truth", "prediction", "error" over κ = 0, 1, …
    tables : "transfer" (resolutions), "speed" (solver settings tried), "distribution" (error of each sample)
    skipped : what could not be evaluated: the reason
    player : arrays for the moving picture
    """

    kind: str
    setting: Mapping[str, Any]
    scores: Mapping[str, float | None]
    curves: Mapping[str, Any]
    spectra: Sequence[Mapping[str, Any]]
    tables: Mapping[str, Any]
    skipped: Mapping[str, str]
    player: Mapping[str, Any]

    def save(self, path: str | Path) -> Path:
        """Write one JSON file, whole or not at all; arrays as base64 of their bytes."""
        from kanop.datasets.durable import write_durably

        path = Path(path)
        content = {"format": "kanop evaluation 1", **asdict(self)}
        write_durably(path, json.dumps(plain(content), ensure_ascii=False, allow_nan=False).encode())
        return path

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read what `save` wrote.

        Raises
        ------
        DataError : no such file, or another kind of file
        """
        path = Path(path)
        check(path.is_file(), f"no evaluation at {path}; make one with `kanop evaluate run=…`", DataError)
        try:
            content = json.loads(path.read_text(encoding="utf-8"), object_hook=_array)
            return cls(**{f.name: content[f.name] for f in fields(cls)})
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is no evaluation of this kanop ({error!r}); make it again with `kanop evaluate`"
            ) from error


def plain(value: Any) -> Any:
    """`value` in JSON's terms: tensors as lists, arrays as base64, numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "base64": data}
    if isinstance(value, Tensor):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _array(tree: dict[str, Any]) -> Any:
    if tree.keys() != {"dtype", "shape", "base64"}:
        return tree
    return np.frombuffer(base64.b64decode(tree["base64"]), tree["dtype"]).reshape(tree["shape"])
