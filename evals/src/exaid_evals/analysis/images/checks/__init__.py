"""Checks of images: one file each."""
