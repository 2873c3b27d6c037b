"""States of models as files that hold data and nothing else, and whether a state is sound."""

from __future__ import annotations

import io
import json
import math
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from exaid_evals.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Mask = NDArray[Any]


TREE = "tree"
_MOST_TREE_BYTES = 64 * 1024 * 1024
_MOST_DEPTH = 100


def write_state(stream: BinaryIO, state: Any) -> None:
    """Write a state.

    Args:
        stream: binary, at its beginning.
        state: nested mappings, lists and tuples of arrays, tensors, numbers, texts, booleans and None. Keys are texts,
            whole numbers or booleans.

    Raises:
        ConfigError: the state holds something else; the message says where.
    """
    import numpy as np

    arrays: dict[str, Array] = {}
    tree = json.dumps(_encoded(state, arrays, "state"), separators=(",", ":"), allow_nan=False)
    arrays[TREE] = np.frombuffer(tree.encode("utf-8"), dtype=np.uint8)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as packed:
        for name, array in arrays.items():
            # A ZipInfo of its own, since the time of day has no place in the bytes.
            with packed.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                _format().write_array(member, np.asarray(array), allow_pickle=False)


def read_state(data: bytes, where: str) -> Any:
    """Return a state as it was written; tensors as tensors, on the CPU.

    Raises:
        DataError: these are not the bytes of a state, or they hold objects, or claim more than is there.
    """
    remedy = "it was not written by this program; remove it"
    try:
        arrays = _arrays(data)
        tree = json.loads(arrays.pop(TREE).tobytes().decode("utf-8"))
        return _decoded(tree, arrays)
    except Exception as error:  # hostile bytes lead NumPy, zipfile and tokenize to errors of any kind
        raise DataError(f"is not a state of a model ({type(error).__name__})", where=where, remedy=remedy) from None


def check_state(state: Any) -> None:
    """Look whether a state can be kept.

    Raises:
        ConfigError: it holds what cannot be; the message says where.
    """
    _encoded(state, {}, "state")


def _format() -> Any:
    """Return NumPy's module of the .npy format, whose functions carry no types."""
    from numpy.lib import format as npy

    return npy


def is_tensor(value: Any) -> bool:
    """Return whether a value is one of PyTorch's tensors."""
    torch = sys.modules.get("torch")  # where there is a tensor, PyTorch has been imported
    return torch is not None and isinstance(value, torch.Tensor)


def _encoded(value: Any, arrays: dict[str, Array], where: str, depth: int = 0) -> Any:
    """Return a value as JSON: plain things as themselves, everything else as `[tag, …]`."""
    import numpy as np

    if depth > _MOST_DEPTH:
        raise ConfigError("the state is nested too deeply", where=where, remedy="flatten it")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        if isinstance(value, np.ma.MaskedArray):
            raise ConfigError("a masked array cannot be kept", where=where, remedy="hold its data and its mask")
        array = np.asarray(value)
        if array.dtype.hasobject or array.dtype.names:
            raise ConfigError(f"an array of {array.dtype} cannot be kept", where=where, remedy="hold plain numbers")
        return ["scalar" if isinstance(value, np.generic) else "array", _kept(array, arrays)]
    if isinstance(value, float):
        return value if math.isfinite(value) else ["float", repr(value)]
    if is_tensor(value):
        return ["tensor", *_kept_tensor(value, arrays, where)]
    if isinstance(value, Mapping):
        pairs = [[_key(key, where), _encoded(item, arrays, f"{where}.{key}", depth + 1)] for key, item in value.items()]
        return ["counter" if isinstance(value, Counter) else "map", pairs]
    if isinstance(value, list | tuple):
        items = [_encoded(item, arrays, f"{where}[{at}]", depth + 1) for at, item in enumerate(value)]
        return ["list" if isinstance(value, list) else "tuple", items]
    remedy = "leave it out of state_dict(), which may hold arrays, numbers, texts, lists and mappings"
    raise ConfigError(f"a {type(value).__name__} cannot be kept in a checkpoint", where=where, remedy=remedy)


def _key(key: Any, where: str) -> Any:
    if isinstance(key, bool | int | str):
        return key
    raise ConfigError(f"a key of type {type(key).__name__} cannot be kept", where=where, remedy="use texts or numbers")


def _kept(array: Array, arrays: dict[str, Array]) -> str:
    name = f"a{len(arrays)}"
    arrays[name] = array
    return name


def _kept_tensor(value: Any, arrays: dict[str, Array], where: str) -> tuple[str, str]:
    """Keep a tensor's numbers; a type that NumPy lacks (bfloat16, float8) is kept as its bytes."""
    import torch

    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in _DTYPES or value.layout is not torch.strided:
        remedy = "leave it out of state_dict()"
        raise ConfigError(f"a tensor of {value.dtype}, {value.layout}, cannot be kept", where=where, remedy=remedy)
    try:
        value = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        try:
            array = value.numpy()
        except TypeError:
            array = value.view(torch.int16 if value.element_size() == 2 else torch.uint8).numpy()
    except (RuntimeError, ValueError) as error:  # nested, on the device meta, not initialised yet
        what = f"a {type(value).__name__} has no numbers that can be kept ({type(error).__name__})"
        raise ConfigError(what, where=where, remedy="leave it out of state_dict(), or attach it later") from None
    # A copy: the tensor may be trained on before the file is written.
    return _kept(array.copy(), arrays), dtype


def _arrays(data: bytes) -> dict[str, Array]:
    found: dict[str, Array] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for info in packed.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(data):
                raise ValueError("packed")
            name = info.filename.removesuffix(".npy")
            if info.filename == name or name in found:
                raise ValueError("member")
            member = packed.read(info)
            if name == TREE and len(member) > _MOST_TREE_BYTES:
                raise ValueError("tree")
            _check_size(member)
            found[name] = _format().read_array(io.BytesIO(member), allow_pickle=False)
    return found


def _check_size(member: bytes) -> None:
    """Hold the size that a header claims against the bytes that follow, before NumPy takes memory for it."""
    stream = io.BytesIO(member)
    form = _format()
    read = form.read_array_header_1_0 if form.read_magic(stream) == (1, 0) else form.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(member) - stream.tell():
        raise ValueError("header")


def _decoded(node: Any, arrays: Mapping[str, Array]) -> Any:
    if not isinstance(node, list):
        if isinstance(node, dict):
            raise TypeError("mapping")
        return node
    tag, *rest = node
    if tag in ("map", "counter"):
        pairs = {key: _decoded(item, arrays) for key, item in rest[0]}
        return pairs if tag == "map" else Counter(pairs)  # MultiStepLR has its milestones in one
    if tag in ("list", "tuple"):
        items = [_decoded(item, arrays) for item in rest[0]]
        return items if tag == "list" else tuple(items)
    if tag == "float":
        return float(rest[0])
    if tag == "array":
        return arrays[rest[0]]
    if tag == "scalar":
        return arrays[rest[0]][()]
    if tag == "tensor":
        return _tensor(arrays[rest[0]], rest[1])
    raise ValueError(tag)


_DTYPES = frozenset(
    {
        *("float16", "float32", "float64", "bfloat16", "complex64", "complex128"),
        *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"),
    }
)


def _tensor(array: Array, dtype: str) -> Any:
    import torch

    if dtype not in _DTYPES:
        raise ValueError(dtype)
    wanted = getattr(torch, dtype)
    tensor = torch.from_numpy(array)
    return tensor if tensor.dtype == wanted else tensor.view(wanted)


Path = tuple[Any, ...]


class Soundness:
    """Knows which numbers of a state were infinite when the training began: a causal mask holds −inf by design."""

    def __init__(self, state: Any) -> None:
        self._infinite: dict[Path, Mask] = {}
        for path, leaf in _leaves(state, ()):
            infinite = _infinite(leaf)
            if infinite.any():
                self._infinite[path] = infinite

    def holds(self, state: Any) -> bool:
        """Return whether a state holds no NaN, and no infinity where there was none."""
        return all(self._sound(path, leaf) for path, leaf in _leaves(state, ()))

    def _sound(self, path: Path, leaf: Any) -> bool:
        if is_tensor(leaf):
            if leaf.isfinite().all():
                return True
        elif _finite(leaf):
            return True
        known = self._infinite.get(path)
        if known is None or _is_nan(leaf):
            return False
        infinite = _infinite(leaf)
        # A mask that has grown with the length of its sequences holds as many infinities as it likes.
        return known.shape != infinite.shape or not bool((infinite & ~known).any())


def _leaves(state: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what holds floating-point numbers, with the way to it."""
    import numpy as np

    if isinstance(state, Mapping):
        for key, value in state.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(state, list | tuple):
        for at, value in enumerate(state):
            yield from _leaves(value, (*path, at))
    elif is_tensor(state):
        if state.is_floating_point() or state.is_complex():
            yield path, state
    elif isinstance(state, float) or (
        isinstance(state, np.ndarray | np.generic) and np.issubdtype(state.dtype, np.inexact)
    ):
        yield path, state


def _finite(leaf: Any) -> bool:
    import numpy as np

    return math.isfinite(leaf) if isinstance(leaf, float) else bool(np.isfinite(leaf).all())


def _is_nan(leaf: Any) -> bool:
    import numpy as np

    return bool(leaf.isnan().any()) if is_tensor(leaf) else bool(np.isnan(leaf).any())


def _infinite(leaf: Any) -> Mask:
    import numpy as np

    if is_tensor(leaf):
        found: Mask = leaf.detach().isinf().cpu().numpy()
        return found
    return np.asarray(np.isinf(leaf))
