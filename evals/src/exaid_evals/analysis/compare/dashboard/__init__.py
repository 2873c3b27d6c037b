"""The dashboard: one HTML file that sorts, filters and overlays runs without a server."""
