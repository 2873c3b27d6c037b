"""Whether an image has neither detail nor a sharp edge: what blur does, and what exposure must not be blamed for."""

from __future__ import annotations

from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings


def wide_edges(image: ImageFacts, settings: AuditSettings) -> bool:
    """Tell whether there is little detail, and there are edges, and all of them are wide."""
    sharpness, steepness = image.measure("sharpness"), image.measure("edge_steepness")
    if sharpness is None or steepness is None:
        return False
    return sharpness < settings.blur_threshold and steepness < settings.min_steepness
