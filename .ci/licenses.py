"""Reads `cargo metadata` and checks each crate's license and source against deny.toml."""

import json
import re
import sys
import tomllib
from pathlib import Path


def allowed(expression: str, licenses: set[str]) -> bool:
    """Whether an SPDX expression can be met by these licenses."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    place = 0

    def term() -> bool:
        nonlocal place
        token = tokens[place]
        place += 1
        if token == "(":
            value = either()
            place += 1
            return value
        if tokens[place : place + 1] == ["WITH"]:
            token = f"{token} WITH {tokens[place + 1]}"
            place += 2
        return token in licenses

    def both() -> bool:
        nonlocal place
        value = term()
        while tokens[place : place + 1] == ["AND"]:
            place += 1
            value &= term()
        return value

    def either() -> bool:
        nonlocal place
        value = both()
        while tokens[place : place + 1] == ["OR"]:
            place += 1
            value |= both()
        return value

    return either()


def main() -> None:
    rules = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    licenses = set(rules["licenses"]["allow"])
    packages = json.load(sys.stdin)["packages"]
    faults = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        source = package["source"]
        if source is not None and not source.startswith("registry+"):
            faults.append(f"{name}: comes from {source}, not from the registry")
        if not package["license"]:
            faults.append(f"{name}: names no license")
        elif not allowed(package["license"], licenses):
            faults.append(f"{name}: {package['license']} is not allowed; replace the crate, or add to {sys.argv[1]}")
    if faults:
        sys.exit("\n".join(faults))
    print(f"{len(packages)} crates: every license is allowed")


main()
