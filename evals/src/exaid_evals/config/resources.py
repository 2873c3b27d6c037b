"""Where the schemas and default configurations lie: in a checkout's evals/ folder, or inside the wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def checkout_root() -> Path | None:
    """Return the checkout's evals/ folder when the package runs from one, else None."""
    evals = _PACKAGE.parent.parent
    return evals if (evals / "schemas").is_dir() and (evals / "configs").is_dir() else None


def schemas_dir() -> Path:
    """Return the folder of JSON Schemas."""
    return (checkout_root() or _PACKAGE / "_resources") / "schemas"


def configs_dir() -> Path:
    """Return the folder of default configurations."""
    return (checkout_root() or _PACKAGE / "_resources") / "configs"


def default_data_dir() -> Path:
    """Return the campaign folder used when none is named: evals/data, or ./data outside a checkout."""
    root = checkout_root()
    return root / "data" if root else Path.cwd() / "data"


def default_mac_dir() -> Path | None:
    """Return the MAC submodule's folder of a checkout, which a plain clone leaves empty; None elsewhere."""
    root = checkout_root()
    return root.parent / "third_party" / "mac" if root else None
