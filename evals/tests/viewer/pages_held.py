"""What a page of the viewer holds, unpacked."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any


def records_in(page: str) -> list[dict[str, Any]]:
    """Unpack what a page holds: the overview, then the cases."""
    packed = re.findall(r'<script type="text/plain" id="block-\d+">([A-Za-z0-9+/=]*)</script>', page)
    return [json.loads(zlib.decompress(base64.b64decode(one))) for one in packed]
