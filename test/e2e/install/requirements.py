"""Prints the pip requirements of every integration that a Home Assistant without a screen sets up by itself, and of those given as arguments.

It runs with --skip-pip: since 2026 the frontend is critical (without it: recovery mode, while /api/core/state says RUNNING), and
the base platforms are always loaded.
"""

import importlib.util
import json
import pathlib
import re
import sys

root = pathlib.Path(importlib.util.find_spec("homeassistant").submodule_search_locations[0])


def manifest(component):
    path = root / "components" / component / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else None


names = set(sys.argv[1:])
defaults = re.search(r"^DEFAULT_INTEGRATIONS = \{(.*?)^\}", (root / "bootstrap.py").read_text(), re.S | re.M)
names |= set(re.findall(r'^    "(\w+)"', defaults.group(1), re.M)) if defaults else set()
platforms = root / "generated" / "entity_platforms.py"
names |= set(re.findall(r'= "(\w+)"', platforms.read_text())) if platforms.exists() else set()
seen, requirements = set(), set()
while names:
    component = names.pop()
    known = manifest(component)
    if component in seen or not known:
        continue
    seen.add(component)
    requirements |= set(known.get("requirements", []))
    names |= set(known.get("dependencies", []))
print(" ".join(sorted(requirements)))
