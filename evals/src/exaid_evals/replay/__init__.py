"""Replay: frozen traces through variants of the middleware, on a virtual clock."""
