"""Images without detail whose edges are all wide."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.checks.edges import wide_edges
from exaid_evals.analysis.images.checks.tiny import Tiny
from exaid_evals.analysis.images.checks.too_bright import TooBright
from exaid_evals.analysis.images.checks.too_dark import TooDark
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

_FAINT = 3.0
"""Contrast below which what looks like detail may be rounding."""


class Blurred(ImageCheck):
    """Variance of the Laplacian over the variance of the grey, which does not depend on contrast; then the edges.

    Little detail alone accuses drawings, gradients and skies. Where nothing in an image is an edge, blur cannot be
    told: then `edge_steepness` is None in the record, and nothing is said.
    """

    name = "blurred"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare detail and edges; what is tiny or blank has none."""
        if not wide_edges(image, settings) or (image.measure("contrast") or 0) < _FAINT:
            return None
        if any(check.judge_one(image, settings) for check in (Tiny(), TooDark(), TooBright())):
            return None  # detail was lost to size or exposure, and that is said
        sharpness, steepness = image.measure("sharpness"), image.measure("edge_steepness")
        evidence = {
            "sharpness": sharpness,
            "laplacian": image.measure("laplacian"),
            "edge_steepness": steepness,
            "blur_threshold": settings.blur_threshold,
            "min_steepness": settings.min_steepness,
        }
        text = f"no detail (sharpness is {sharpness:.2g}) and no sharp edge (steepness is {steepness:.2g})"
        return Finding(self.name, "medium", text, evidence)
