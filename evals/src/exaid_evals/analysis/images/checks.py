"""The checks of images: each judges facts, and says what it found, how bad that is, and by which evidence."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Literal, Protocol

from exaid_evals.analysis.images.files import AuditSettings, ImageFacts, nearest_leaders
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError

Severity = Literal["low", "medium", "high", "critical"]
Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with an image.

    Attributes:
        check: name of the check.
        severity: how bad it is.
        text: what was found, as one clause.
        evidence: the numbers behind it.
    """

    check: str
    severity: Severity
    text: str
    evidence: Mapping[str, Value] = field(default_factory=dict)


class Check(Protocol):
    """Judges images."""

    @property
    def name(self) -> str:
        """The check's name, as `--fail-on` takes it."""

    def judge(self, images: Sequence[ImageFacts], settings: AuditSettings) -> Mapping[int, Finding]:
        """Return the place in `images` → finding, of those that have one."""


class ImageCheck(ABC):
    """A check that needs to see one image at a time."""

    name: str

    def judge(self, images: Sequence[ImageFacts], settings: AuditSettings) -> Mapping[int, Finding]:
        """Judge each image alone."""
        found = ((at, self.judge_one(image, settings)) for at, image in enumerate(images))
        return {at: finding for at, finding in found if finding is not None}

    @abstractmethod
    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Return what is wrong with an image; None where nothing is, or it cannot be known."""


def wide_edges(image: ImageFacts, settings: AuditSettings) -> bool:
    """Return whether there is little detail, and there are edges, and all of them are wide."""
    sharpness, steepness = image.measure("sharpness"), image.measure("edge_steepness")
    if sharpness is None or steepness is None:
        return False
    return sharpness < settings.blur_threshold and steepness < settings.min_steepness


def _problem(
    image: ImageFacts, settings: AuditSettings, name: str, severity: Severity, otherwise: str
) -> Finding | None:
    """What kept a file from being decoded: it repeats what opening the file has met.

    Many loaders fill what is missing of a truncated file with grey, without a word. A bomb is not decoded, here or by a
    careful loader. What has no decoder may be as it should: nobody has looked.
    """
    if image.problem != name:
        return None
    evidence: dict[str, Value] = {"n_bytes": image.n_bytes}
    if name == "decompression_bomb":
        evidence["max_pixels"] = settings.max_pixels
    return Finding(name, severity, image.reason or otherwise, evidence)


def _tiny(image: ImageFacts, settings: AuditSettings) -> Finding | None:
    """The shorter side has fewer pixels than `min_side`."""
    if image.width is None or image.height is None or min(image.width, image.height) >= settings.min_side:
        return None
    evidence = {"width": image.width, "height": image.height, "min_side": settings.min_side}
    return Finding("tiny", "medium", f"only {image.width} × {image.height} pixels", evidence)


def _odd_aspect(image: ImageFacts, settings: AuditSettings) -> Finding | None:
    """A crop or a resize to a square would keep little of them."""
    if not image.width or not image.height:
        return None
    aspect = max(image.width, image.height) / min(image.width, image.height)
    if aspect <= settings.max_aspect:
        return None
    evidence = {"aspect": aspect, "max_aspect": settings.max_aspect}
    return Finding("odd_aspect", "low", f"one side is {aspect:.3g} times the other", evidence)


def _too_dark(image: ImageFacts, settings: AuditSettings) -> Finding | None:
    """Of a dark picture of something some part is lit: so its brightest greys count, and not the mean."""
    high = image.measure("grey_p98")
    if high is None or high >= settings.dark_below or _tiny(image, settings):
        return None  # shrinking takes lights away, and the size is said
    evidence = {"grey_p98": high, "brightness": image.measure("brightness"), "dark_below": settings.dark_below}
    return Finding("too_dark", "high", f"98 % of it is darker than {high:.0f} of 255", evidence)


_WHITE, _WHITE_BLURRED = 0.03, 0.45


def _too_bright(image: ImageFacts, settings: AuditSettings) -> Finding | None:
    """Over-exposed: light is clipped, and no dark grey is left.

    A page or a product on white is mostly white too, but holds dark marks: so the darkest thousandth counts, and not
    the mean.
    """
    low, white = image.measure("grey_darkest"), image.measure("white")
    if low is None or white is None or low <= settings.bright_above or _tiny(image, settings):
        return None  # shrinking takes dark marks away, and the size is said
    # A blurred page has lost its dark marks too: without edges more of it must be white.
    if white < (_WHITE_BLURRED if wide_edges(image, settings) else _WHITE):
        return None
    if image.measure("rotation") is not None:
        return None  # lines can be read: a page with little on it
    evidence = {"grey_darkest": low, "white": white, "bright_above": settings.bright_above}
    return Finding("too_bright", "high", f"{white:.0%} is white, and 99.9 % brighter than {low:.0f} of 255", evidence)


_FAINT = 3.0
"""Contrast below which what looks like detail may be rounding."""


def _blurred(image: ImageFacts, settings: AuditSettings) -> Finding | None:
    """Variance of the Laplacian over the variance of the grey, which does not depend on contrast; then the edges.

    Little detail alone accuses drawings, gradients and skies. Where nothing in an image is an edge, blur cannot be
    known: then `edge_steepness` is None in the record, and nothing is said.
    """
    if not wide_edges(image, settings) or (image.measure("contrast") or 0) < _FAINT:
        return None
    if any(lost(image, settings) for lost in (_tiny, _too_dark, _too_bright)):
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
    return Finding("blurred", "medium", text, evidence)


_BLANK = 2.0


def _low_contrast(image: ImageFacts, settings: AuditSettings) -> Finding | None:
    """Where size, exposure or blur took the greys, that is what is said, and this not again."""
    low, high, contrast = image.measure("grey_p01"), image.measure("grey_p99"), image.measure("contrast")
    if low is None or high is None or contrast is None or high - low >= settings.min_contrast:
        return None
    evidence = {"greys": high - low, "contrast": contrast, "min_contrast": settings.min_contrast}
    if any(lost(image, settings) for lost in (_tiny, _too_dark, _too_bright, _blurred)):
        return None
    if contrast < _BLANK:
        return Finding("low_contrast", "high", f"blank: contrast is {contrast:.2g}", evidence)
    return Finding("low_contrast", "medium", f"only {high - low:.0f} greys of 255", evidence)


_FAR = 15.0


def _rotated(image: ImageFacts, settings: AuditSettings) -> Finding | None:
    """Only of documents: no one can tell from a photograph's pixels alone which way is up."""
    tilt = image.measure("rotation")
    if tilt is None:
        return None
    evidence = {"rotation": tilt, "line_power": image.measure("line_power"), "lines": image.measure("lines")}
    if abs(tilt) - (image.measure("rotation_error") or 0.0) > settings.max_rotation:
        way = "counter-clockwise" if tilt > 0 else "clockwise"
        severity: Severity = "high" if abs(tilt) > _FAR else "medium"
        return Finding("rotated", severity, f"turned by {abs(tilt):.1f}° {way}", evidence)
    if image.measure("upright_lines") == 1.0 and (image.orientation or 1) not in _QUARTER:
        return Finding("rotated", "medium", "lines run from top to bottom: turned by a quarter", evidence)
    return None


_QUARTER = (5, 6, 7, 8)
"""Tags that turn an image by 90°."""


def _exif_orientation(image: ImageFacts, _settings: AuditSettings) -> Finding | None:
    """Hold the tag against its values, against the size that EXIF tells, and against the lines of a document.

    A viewer obeys the tag and a loader mostly does not; where the pixels were turned and the tag kept, both err.
    """
    tag = image.orientation
    if tag is None or tag == 1:
        return None
    evidence: dict[str, Value] = {"orientation": tag}
    if not 1 <= tag <= 8:
        return Finding("exif_orientation", "medium", f"the orientation {tag} has no meaning", evidence)
    stored = (image.width, image.height)
    swapped = image.exif_size is not None and image.exif_size == stored[::-1] and stored[0] != stored[1]
    # Lines of text that run level as they are stored were turned already, too.
    if tag in _QUARTER and (swapped or image.measure("upright_lines") == 0.0):
        text = f"the pixels were turned already, and orientation {tag} stayed"
        return Finding("exif_orientation", "high", text, evidence)
    return Finding("exif_orientation", "low", f"orientation {tag}: loaders that ignore EXIF see it turned", evidence)


class _Alone(ImageCheck):
    """A row of the table: a check that sees one image at a time."""

    def __init__(self, name: str, look: Callable[[ImageFacts, AuditSettings], Finding | None]) -> None:
        self.name, self._look = name, look

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Return what is wrong with an image."""
        return self._look(image, settings)


def _of_problem(name: str, severity: Severity, otherwise: str) -> Callable[[], Check]:
    return partial(_Alone, name, partial(_problem, name=name, severity=severity, otherwise=otherwise))


unreadable = _of_problem("unreadable", "critical", "cannot be read")
truncated = _of_problem("truncated", "critical", "ends too early")
decompression_bomb = _of_problem("decompression_bomb", "critical", "too many pixels")
no_decoder = _of_problem("no_decoder", "medium", "cannot be decoded here")
tiny = partial(_Alone, "tiny", _tiny)
odd_aspect = partial(_Alone, "odd_aspect", _odd_aspect)
blurred = partial(_Alone, "blurred", _blurred)
too_dark = partial(_Alone, "too_dark", _too_dark)
too_bright = partial(_Alone, "too_bright", _too_bright)
low_contrast = partial(_Alone, "low_contrast", _low_contrast)
rotated = partial(_Alone, "rotated", _rotated)
exif_orientation = partial(_Alone, "exif_orientation", _exif_orientation)


_MAJORITY = 0.8


class ColourMode:
    """A model that was built for three channels fails on one, or silently repeats it."""

    name = "colour_mode"

    def judge(self, images: Sequence[ImageFacts], settings: AuditSettings) -> Mapping[int, Finding]:
        """Compare with the expected mode, or with that of at least 80 % of the images."""
        modes = Counter(image.mode for image in images if image.mode is not None)
        wanted, source = settings.expect_mode, "expected"
        if wanted is None:
            if not modes:
                return {}
            wanted, count = max(modes.items(), key=lambda item: (item[1], item[0]))
            if count < _MAJORITY * modes.total():
                return {}
            source = "that of most images"
        return {
            at: Finding(self.name, "medium", f"{image.mode} where {wanted} is {source}",
                        {"mode": image.mode, "wanted": wanted})
            for at, image in enumerate(images)
            if image.mode is not None and image.mode != wanted
        }  # fmt: skip


class Duplicates:
    """The first of a group by name is the original; the others are found, turned or mirrored too, and name it."""

    name = "duplicate"

    def judge(self, images: Sequence[ImageFacts], settings: AuditSettings) -> Mapping[int, Finding]:
        """Compare hashes of bytes, then perceptual hashes; blank images are alike and mean nothing."""
        first: dict[str, int] = {}
        found: dict[int, Finding] = {}
        distinct: list[int] = []
        for at, image in enumerate(images):
            if image.sha256 is None or not image.n_bytes:
                continue
            original = first.setdefault(image.sha256, at)
            if original != at:
                found[at] = self._finding("medium", "the same file as", images[original], 0)
            elif image.phash and image.dhash and (image.measure("contrast") or 0) >= _BLANK:
                distinct.append(at)
        hashes = [int(f"{images[at].phash}{images[at].dhash}", 16) for at in distinct]
        turned = [[int(form, 16) for form in images[at].turned] for at in distinct]
        for place, (leader, distance) in nearest_leaders(hashes, settings.duplicate_distance, turned).items():
            own = (hashes[place] >> 64 ^ hashes[leader] >> 64).bit_count() == distance
            relation = "looks like" if own else "turned or mirrored, looks like"
            found[distinct[place]] = self._finding("low", relation, images[distinct[leader]], distance)
        return found

    def _finding(self, severity: Severity, relation: str, original: ImageFacts, distance: int) -> Finding:
        evidence: dict[str, Value] = {"original": original.name, "distance": distance}
        return Finding(self.name, severity, f"{relation} {original.name}", evidence)


_NAME = re.compile(r"[a-z_]+")
_PACKAGE = "exaid_evals.analysis.images.checks"
_OWN = {"colour_mode": "ColourMode", "duplicate": "Duplicates"}
CHECKS = Kind(
    "check of images",
    "exaid_evals.image_checks",
    {
        name: f"{_PACKAGE}:{_OWN.get(name, name)}"
        for name in (
            *("unreadable", "truncated", "decompression_bomb", "no_decoder", "tiny", "odd_aspect", "blurred"),
            *("too_dark", "too_bright", "low_contrast", "rotated", "exif_orientation", "colour_mode", "duplicate"),
        )
    },
)
"""Each part is a class without arguments; see `checks.base.Check`."""


@cache
def _built(others: tuple[str, ...]) -> tuple[Check, ...]:
    checks = tuple(CHECKS.build(name) for name in (*CHECKS, *others))
    for kind, check in zip((*CHECKS, *others), checks, strict=True):
        if not _NAME.fullmatch(check.name):  # it becomes a key of records and a class of pages
            what = f"the check {kind!r} is called {check.name!r}"
            raise ConfigError(what, where="checks", remedy="name it by lower-case letters and `_`")
    return checks


def check_names(settings: AuditSettings) -> tuple[str, ...]:
    """Return the names of the checks that judge, in their order.

    Raises:
        ConfigError: the settings name a check that cannot be had.
    """
    return tuple(check.name for check in _built(settings.checks))


def judge(
    images: Sequence[ImageFacts], settings: AuditSettings, names: Collection[str] | None = None
) -> list[list[Finding]]:
    """Return the findings of each image, in the order of the checks; of all checks, or those of some names."""
    found: list[list[Finding]] = [[] for _ in images]
    for check in _built(settings.checks):
        if names is None or check.name in names:
            for at, finding in check.judge(images, settings).items():
                found[at].append(finding)
    return found
