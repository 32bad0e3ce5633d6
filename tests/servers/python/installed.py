"""Exits with 0 if the packages that `requirements-N.txt` names are there in these versions, else with 1: installed.py N."""

import pathlib
import re
import sys
from importlib.metadata import PackageNotFoundError, version


def is_there(name, wanted):
    try:
        return version(name) == wanted
    except PackageNotFoundError:
        return False


requirements = pathlib.Path(__file__).with_name(f"requirements-{sys.argv[1]}.txt").read_text()
pinned = re.findall(r"^([\w.-]+)==(\S+)", requirements, re.MULTILINE)
sys.exit(0 if pinned and all(is_there(*package) for package in pinned) else 1)
