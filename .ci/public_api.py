#!/usr/bin/env python3
"""Prints the public API of the published crates as text that can be compared.

    public_api.py FOLDER TOOL

FOLDER has the rustdoc JSON of the crates, and TOOL is cargo-public-api, which turns
that of one crate into lines of Rust. It knows an item of another crate by the private
path where it is defined. Here every item has one name, its shortest path below
`stages` if it has one there, so that moving a file changes nothing.
"""

import json
import pathlib
import re
import subprocess
import sys

FACADE = "stages"
CRATES = [
    FACADE,
    "stage_core",
    "stage_dispatchers",
    "stage_runtime",
    "stage_test",
    "stage_pipeline",
    "stage_queue",
]
PATH = re.compile(rf"\b(?:{'|'.join(CRATES)})(?:::\w+)+")
KEYWORDS = {
    "constant": "const",
    "function": "fn",
    "module": "mod",
    "proc_attribute": "proc macro",
    "proc_derive": "proc macro",
    "trait_alias": "trait",
    "type_alias": "type",
}
HEADLINE = re.compile(
    r"^(?:#\[.*?\] )*pub (?:(?:async|unsafe|auto|const(?= (?:fn|unsafe|async)))\s)*"
    r"(?P<keyword>mod|struct|enum|union|trait|fn|type|const|static|macro|proc macro) (?P<path>\w+(?:::\w+)*)"
)


class Crates:
    """The rustdoc JSON of all crates, and who is re-exported where."""

    def __init__(self, folder):
        self.docs = {}
        self.ids = {}
        for crate in CRATES:
            self.docs[crate] = json.loads((folder / f"{crate}.json").read_text())
            for id, summary in self.docs[crate]["paths"].items():
                if summary["crate_id"] == 0:
                    self.ids["::".join(summary["path"])] = id

    def public(self, crate):
        """Every (path, keyword, path where it is defined) that can be named."""
        root = self.docs[crate]["root"]
        return self._module(crate, root, crate, {(crate, str(root))})

    def _module(self, crate, module, prefix, above):
        doc = self.docs[crate]
        for id in doc["index"][str(module)]["inner"]["module"]["items"]:
            item = doc["index"][str(id)]
            kind = next(iter(item["inner"]))
            use = item["inner"].get("use")
            if kind == "impl":
                continue
            name = use["name"] if use else item["name"]
            target = use["id"] if use else id
            summary = doc["paths"].get(str(target))
            if summary is None and use and use["is_glob"]:
                # A private module whose items are re-exported.
                yield from self._module(crate, target, prefix, above)
                continue
            if summary is None:
                yield f"{prefix}::{name}", "use" if use else KEYWORDS.get(kind, kind), None
                continue
            definition = "::".join(summary["path"])
            kind = summary["kind"]
            is_glob = use is not None and use["is_glob"]
            if not is_glob:
                yield f"{prefix}::{name}", KEYWORDS.get(kind, kind), definition
            if kind == "module" and definition in self.ids:
                inner = (summary["path"][0], self.ids[definition])
                if inner not in above:
                    below = prefix if is_glob else f"{prefix}::{name}"
                    yield from self._module(*inner, below, above | {inner})


def rank(path):
    """The best of several paths is the least."""
    return (not path.startswith(f"{FACADE}::"), "::prelude::" in path, path.count("::"), path)


def renamer(names):
    """A function that puts the one name of an item in place of its other paths."""

    def rename(match):
        parts = match.group().split("::")
        for end in range(len(parts), 1, -1):
            name = names.get("::".join(parts[:end]))
            if name:
                return "::".join([name, *parts[end:]])
        return match.group()

    return lambda line: PATH.sub(rename, line)


def trait_of_impl(line):
    """The trait of `impl Trait for Type`, or None."""
    rest = re.sub(r"^(?:unsafe )?impl", "", line)
    if rest.startswith("<"):
        depth = 0
        for at, char in enumerate(rest):
            depth += char == "<"
            depth -= char == ">" and rest[at - 1] != "-"
            if depth == 0:
                rest = rest[at + 1 :]
                break
    return rest.strip() if " for " in rest else None


def items(crate, lines, known):
    """Splits the lines of a crate into (path, lines) for each of its items."""
    path, block, in_trait_impl = crate, [], False
    for line in lines:
        headline = HEADLINE.match(line)
        if headline and headline.group("path", "keyword") in known:
            yield path, block
            path, block, in_trait_impl = headline["path"], [line], False
        elif line.startswith(("impl", "unsafe impl")):
            trait = trait_of_impl(line)
            in_trait_impl = trait is not None
            if trait is None or "StructuralPartialEq" not in trait:
                block.append(line)
        # The functions of an implemented trait are those of the trait.
        elif not in_trait_impl or line.startswith("pub type"):
            block.append(line)
    yield path, block


def main(folder, tool):
    crates = Crates(pathlib.Path(folder))
    public = [entry for crate in CRATES for entry in crates.public(crate)]

    names, known = {}, set()
    for path, keyword, definition in sorted(public, key=lambda entry: rank(entry[0])):
        name = names.setdefault(definition, path) if definition else path
        names[path] = name
        known.add((name, keyword))
    rename = renamer(names)

    found = {}
    for crate in CRATES:
        output = subprocess.run(
            [tool, "public-api", "-ss", "--rustdoc-json", f"{folder}/{crate}.json"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        lines = [rename(line) for line in output.splitlines() if not line.startswith("pub use")]
        for path, block in items(crate, lines, known):
            # A module and a function may share a path. What is listed at two paths of
            # its crate comes twice.
            if block:
                found[path, block[0]] = block

    listed = {(path, HEADLINE.match(headline)["keyword"]) for path, headline in found}
    if known - listed:
        sys.exit(f"public_api.py: {tool} does not list {sorted(known - listed)}")

    def count(module):
        return len({path for path, *_ in public if path.rpartition("::")[0] == module})

    print("# The public API of the published crates. Renew it with `BLESS=1 .ci/run public-api`.")
    print(f"# root: {count(FACADE)} names, prelude: {count(f'{FACADE}::prelude')} names")
    for _, block in sorted(found.items(), key=lambda item: (not item[0][0].startswith(FACADE), item[0])):
        print("\n    ".join(block))
    print("# Other paths of the same items:")
    for path in sorted({path for path, *_ in public if names[path] != path}):
        print(f"use {path} = {names[path]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
