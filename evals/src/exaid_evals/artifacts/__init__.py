"""Bytes in and out: canonical JSON, JSON Lines, atomic files, hashes, ids, schemas, manifest, signature."""
