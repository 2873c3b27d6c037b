"""A check of images: they should be taller than wide. `checks: [upright]` in the audit's settings adds it."""

from exaid_evals.analysis.images.checks import Finding, ImageCheck


class Upright(ImageCheck):
    """Finds what is wider than tall; an image that could not be measured is not judged."""

    name = "upright"

    def judge_one(self, image, settings):
        """Judge one image."""
        if image.width is None or image.height is None or image.width <= image.height:
            return None
        evidence = {"width": image.width, "height": image.height}
        return Finding(self.name, "low", "it is wider than tall", evidence)
