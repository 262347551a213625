"""Floor 5: rollouts, metrics, the evaluation against truth, baselines and solver, and its report."""

from kanop.evaluation.evaluate import evaluate, one_step_error, predict
from kanop.evaluation.evaluation import Evaluation
from kanop.evaluation.metrics import (
    correlation,
    correlation_time,
    diverged_share,
    geometric_mean,
    invariant_drift,
    nrmse,
    relative_l2,
    relative_l2_full,
    vrmse,
)
from kanop.evaluation.ranking import draw_ranking, ranking
from kanop.evaluation.report import write_report
from kanop.evaluation.rollout import rollout
from kanop.evaluation.spectra import band_errors, energy_spectrum, log_spectral_distance, mode_radius

__all__ = [
    "Evaluation",
    "band_errors",
    "correlation",
    "correlation_time",
    "diverged_share",
    "draw_ranking",
    "energy_spectrum",
    "evaluate",
    "geometric_mean",
    "invariant_drift",
    "log_spectral_distance",
    "mode_radius",
    "nrmse",
    "one_step_error",
    "predict",
    "ranking",
    "relative_l2",
    "relative_l2_full",
    "rollout",
    "vrmse",
    "write_report",
]
