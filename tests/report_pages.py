"""What a report's page holds, unpacked as its script does it."""

import base64
import json
import re
import zlib

_MAIN = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
_PACKED = re.compile(r'<script type="application/octet-stream" id="(query|calls)-([\d-]+)">(.*?)</script>', re.DOTALL)


def read_page(text):
    """The data that a page shows at once, and that of its queries by part and place, with their calls."""
    found = {"query": {}, "calls": {}}
    for kind, name, packed in _PACKED.findall(text):
        found[kind][name] = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert set(found["calls"]) <= set(found["query"])
    for name, data in found["query"].items():
        asked = found["calls"].get(name, {})
        for system, runs in data["systems"].items():
            for i, run in enumerate(runs):
                assert "calls" not in run
                run["calls"] = asked[system][i] if system in asked else []
    return json.loads(_MAIN.search(text)[1]), found["query"]
