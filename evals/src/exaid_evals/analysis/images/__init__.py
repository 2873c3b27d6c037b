"""Audits of images: what a folder of them holds that a model should not be trained on.

`quality_filter.ImageQualityFilter` is the same for a training loop.
"""
