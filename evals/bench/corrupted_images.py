"""Images with planted faults, made by a seeded generator from pictures that installed packages ship.

Pictures come from scikit-image, scikit-learn, Matplotlib's sample data, ImageHash and PyWavelets; documents are
scikit-image's page, sheets of scikit-learn's handwritten digits, and pages set in the typefaces of Matplotlib.
Development and held-out halves share neither pictures nor typefaces nor words nor seeds. Neither does the third set,
UNSEEN, whose pictures and typefaces are read from a folder that `use_unseen` is given.

Left out: what is shorter than 200 pixels a side, where a blur of 1 % cannot be seen (lfw_subset, microaneurysms,
multipage, no_time_for_that_tiny, Minduka_Present_Blue_Pack, logo2, topobathy), second copies of a scene
(motorcycle_right, PyWavelets' camera), a photograph of a moving clock (clock_motion, blurred as it is), slanted
handwriting (text.png), icons, and what is not a picture. OpenCV's wheel ships none.
"""

from __future__ import annotations

import io
import os
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

DEVELOPMENT, HELD_OUT, UNSEEN = 20240519, 90210733, 27182818
PHOTOS = {
    DEVELOPMENT: ("astronaut.png", "chelsea.png", "coffee.png", "camera.png", "china.jpg", "retina.jpg", "brick.png",
                  "chessboard_GRAY.png", "cell.png", "color.png", "rocket.jpg", "hubble_deep_field.jpg",
                  "flower.jpg", "motorcycle_left.png", "coins.png", "ihc.png", "grass.png", "gravel.png", "logo.png",
                  "moon.png", "horse.png", "ascent.npz"),
    HELD_OUT: ("grace_hopper.jpg", "aero.npz", "phantom.png", "imagehash.png", "jacksboro_fault_dem.npz"),
    UNSEEN: (),
}  # fmt: skip
FACES = {
    DEVELOPMENT: ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "STIXGeneral.ttf", "cmss10.ttf",
                  "STIXGeneralBol.ttf"),
    HELD_OUT: ("cmr10.ttf", "cmtt10.ttf", "cmb10.ttf", "STIXGeneralItalic.ttf"),
    UNSEEN: (),
}  # fmt: skip
FAULTS = ("unreadable", "truncated", "tiny", "blurred", "too_dark", "too_bright", "low_contrast", "rotated")
_TEXTS = {
    DEVELOPMENT: "the patient was seen in clinic with a history of fever and cough for three days no rash blood "
    "pressure normal chest clear follow up advised plan repeat count review results discuss options with family",
    HELD_OUT: "every agent reads what others wrote before it answers and a summary arrives only when enough has been "
    "said so that nobody waits for long while older messages leave the window one by one without being missed",
    UNSEEN: "when the boat came round the point at dusk its lamps were out and no one on the pier could tell whose it "
    "might be although Margaret thought she knew the sound of that engine better than her own clock at home",
}
_LEAST_SIDE = 200
"""Pixels: in a smaller picture a blur of 1 % cannot be seen."""
_unseen: list[Path] = []


@dataclass(frozen=True)
class Planted:
    """An image file and the truth about it.

    Attributes:
        name: of the file.
        data: its bytes.
        fault: of FAULTS; None for an image as it should be.
        kind: `photo` or `document`.
        source: picture or typeface that it comes from.
        angle: degrees counter-clockwise by which a document was turned.
    """

    name: str
    data: bytes
    fault: str | None
    kind: str
    source: str
    angle: float = 0.0


def use_unseen(folder: Path) -> None:
    """Take the pictures and typefaces of a folder for the third set: all that are large enough, by their names' order.

    Raises:
        SystemExit: it holds no picture or no typeface.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    faces = tuple(path.name for path in files if path.suffix.lower() in (".ttf", ".otf"))
    _unseen[:] = [folder]
    pictures = [path.name for path in files if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
    PHOTOS[UNSEEN] = tuple(name for name in pictures if min(picture(name).size) >= _LEAST_SIDE)
    FACES[UNSEEN] = faces
    if not faces or not PHOTOS[UNSEEN]:
        raise SystemExit(f"{folder} holds {len(PHOTOS[UNSEEN])} pictures and {len(faces)} typefaces: both are needed")


def _folder(package: str, below: str) -> Path:
    import importlib.util

    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(package)
    return Path(spec.origin).parent / below


@cache
def picture(name: str) -> Image.Image:
    """Open a picture that a package ships; transparency is laid on white, heights are lit from the north-west."""
    folders = (
        _folder("skimage", "data"),
        _folder("sklearn", "datasets/images"),
        _folder("matplotlib", "mpl-data/sample_data"),
        _folder("pywt", "data"),
        Path(sysconfig.get_path("data")) / "images",  # where the wheel of ImageHash puts its picture
        *_unseen,
    )
    path = next(folder / name for folder in folders if (folder / name).exists())
    if path.suffix == ".npz":
        return _of_array(path)
    with Image.open(path) as image:
        rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _of_array(path: Path) -> Image.Image:
    with np.load(path) as arrays:
        if "elevation" not in arrays:
            return Image.fromarray(np.asarray(arrays["data"], dtype=np.uint8)).convert("RGB")
        heights = np.asarray(arrays["elevation"], dtype=float)
    from matplotlib import colormaps
    from matplotlib.colors import LightSource

    lit = LightSource(azdeg=315, altdeg=45).shade(heights, cmap=colormaps["gist_earth"], blend_mode="soft")
    return Image.fromarray((lit[..., :3] * 255).astype(np.uint8))


def photo(rng: np.random.Generator, half: int) -> tuple[Image.Image, str]:
    """Return a large part of a picture: at least 60 % of each side, mirrored half of the time."""
    name = str(rng.choice(PHOTOS[half]))
    whole = picture(name)
    width, height = (int(side * rng.uniform(0.6, 1.0)) for side in whole.size)
    left, top = int(rng.integers(0, whole.width - width + 1)), int(rng.integers(0, whole.height - height + 1))
    part = whole.crop((left, top, left + width, top + height))
    return (part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part), name


def document(rng: np.random.Generator, half: int) -> tuple[Image.Image, str]:
    """Return a page: set in a typeface, or (development) a sheet of digits or scikit-image's photographed page."""
    dice = rng.random()
    if half == DEVELOPMENT and dice < 0.2:
        return _digits(rng), "digits"
    if half == DEVELOPMENT and dice < 0.3:
        # Its upper part: the paper is bent below, and has no one angle there.
        whole = picture("page.png")
        return whole.crop((0, 0, whole.width, int(rng.uniform(110, 140)))), "page.png"
    return _set_page(rng, half)


def _set_page(rng: np.random.Generator, half: int) -> tuple[Image.Image, str]:
    face = str(rng.choice(FACES[half]))
    size = int(rng.integers(11, 20))
    faces = _unseen[0] if half == UNSEEN else _folder("matplotlib", "mpl-data/fonts/ttf")
    font = ImageFont.truetype(str(faces / face), size)
    width, height = (int(side) for side in rng.integers(380, 620, 2))
    paper, ink = int(rng.integers(215, 256)), int(rng.integers(0, 70))
    page = Image.new("L", (width, height), paper)
    draw = ImageDraw.Draw(page)
    margin, y = int(rng.integers(15, 40)), int(rng.integers(15, 40))
    spacing = size * float(rng.uniform(1.25, 1.8))
    while y < height - margin - size:
        line = " ".join(rng.choice(_TEXTS[half].split(), 30))
        while draw.textlength(line, font=font) > (width - 2 * margin) * (1 if rng.random() < 0.8 else 0.6):
            line = line.rpartition(" ")[0]
        draw.text((margin, y), line, font=font, fill=ink)
        y += int(spacing * (2 if rng.random() < 0.1 else 1))
    noisy = np.asarray(page, dtype=float) + rng.normal(0, rng.uniform(0, 4), (height, width))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert("RGB"), face


@cache
def _all_digits() -> np.ndarray:
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().images)


def _digits(rng: np.random.Generator) -> Image.Image:
    own = _all_digits()
    rows, columns = (int(side) for side in rng.integers(10, 16, 2))
    sheet = Image.new("L", (columns * 30 + 30, rows * 34 + 30), 255)
    for row in range(rows):
        for column in range(columns):
            pixels = 255 - own[int(rng.integers(len(own)))] * 255 / 16
            digit = Image.fromarray(pixels.astype(np.uint8)).resize((22, 22), Image.Resampling.BICUBIC)
            sheet.paste(digit, (15 + column * 30, 15 + row * 34))
    return sheet.convert("RGB")


def plant(rng: np.random.Generator, half: int, fault: str | None, number: int) -> Planted:
    """Make one image, with a fault or without."""
    is_document = fault == "rotated" or (fault != "too_bright" and rng.random() < 0.4)
    image, source = document(rng, half) if is_document else photo(rng, half)
    angle = 0.0
    if is_document and fault in (None, "rotated"):
        # Below 3 degrees a page is level, beyond 15 turned; what lies between is measured for its angle alone.
        angle = float(rng.uniform(-3, 3) if fault is None else rng.choice((-1, 1)) * rng.uniform(15, 45))
    image = _faulty(rng, image, fault)
    if angle:
        fill = tuple(np.median(np.asarray(image).reshape(-1, 3), axis=0).astype(int))
        image = image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    form = str(rng.choice(("JPEG", "PNG"), p=(0.7, 0.3)))
    held = io.BytesIO()
    image.save(held, form, **({"quality": int(rng.integers(75, 96))} if form == "JPEG" else {}))
    data = _damaged(rng, held.getvalue(), fault)
    kind = "document" if is_document else "photo"
    return Planted(f"{number:05d}-{fault or 'sound'}.{form.lower()}", data, fault, kind, source, angle)


def _faulty(rng: np.random.Generator, image: Image.Image, fault: str | None) -> Image.Image:
    """Spoil the picture itself."""
    if fault == "tiny":
        side = int(rng.integers(6, 31))
        scale = side / min(image.size)
        return image.resize((max(round(image.width * scale), 1), max(round(image.height * scale), 1)))
    if fault == "blurred":  # Gaussian, σ of 1 to 2 % of the shorter side
        return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.01, 0.02)) * min(image.size)))
    pixels = np.asarray(image, dtype=float)
    if fault in ("too_dark", "too_bright"):  # exposure in linear light: so many stops, and glare where it is too much
        stops = -float(rng.uniform(4.5, 6.5)) if fault == "too_dark" else float(rng.uniform(5.0, 6.5))
        linear = np.clip((pixels / 255) ** 2.2 * 2.0**stops + (0.2 if fault == "too_bright" else 0), 0, 1)
        pixels = linear ** (1 / 2.2) * 255
    if fault == "low_contrast":
        middle = float(rng.uniform(90, 170))
        pixels = middle + (pixels - pixels.mean()) * float(rng.uniform(0.04, 0.12))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _damaged(rng: np.random.Generator, data: bytes, fault: str | None) -> bytes:
    """Spoil the file."""
    if fault == "truncated":
        return data[: int(len(data) * rng.uniform(0.3, 0.97))]
    if fault == "unreadable":
        way = int(rng.integers(3))
        return (b"", b"<html>not found</html>", rng.bytes(16) + data[16:])[way]
    return data


def planted_images(half: int, n_each: int, n_sound: int) -> list[Planted]:
    """Make the images of a half: so many of each fault, and so many without."""
    tasks = [*(fault for fault in FAULTS for _ in range(n_each)), *[None] * n_sound]
    return [plant(np.random.default_rng([half, number]), half, fault, number) for number, fault in enumerate(tasks)]


def write_images(folder: Path, images: list[Planted]) -> None:
    """Write the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        with open(os.path.join(folder, image.name), "wb") as stream:  # noqa: PTH118, PTH123 - thousands of small files
            stream.write(image.data)
