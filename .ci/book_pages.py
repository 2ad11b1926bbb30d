#!/usr/bin/env python3
"""Checks the Markdown of the project for what no compiler sees.

The Rust code of a page is compiled by the doctests of the crate whose `src/lib.rs`
includes the page. This finds pages that were forgotten there, pages that are not in the
summary of the book, and links that lead nowhere.
"""

import os
import pathlib
import re
import sys

FENCE = re.compile(r"^```.*?^```", re.M | re.S)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


# The crates above the facade, whose pages it cannot compile.
ABOVE = [pathlib.Path("stage-pipeline"), pathlib.Path("stage-queue")]


def includes(crate, page):
    path = os.path.relpath(page, crate / "src")
    return f'include_str!("{path}")' in (crate / "src/lib.rs").read_text()


def main():
    book = sorted(page for page in pathlib.Path("docs").rglob("*.md") if "book" not in page.parts)
    readmes = sorted(pathlib.Path().glob("stage-*/README.md"))
    pages = [pathlib.Path("README.md"), pathlib.Path("CONTRIBUTING.md"), *readmes, *book]
    summary = pathlib.Path("docs/SUMMARY.md").read_text()
    faults = []

    for page in pages:
        text = page.read_text()
        if re.search(r"^```rust", text, re.M):
            # The crate that a README stands in. A page of the book belongs to the facade,
            # or to the crate above it that the page is about.
            crates = [page.parent] if page in readmes else [pathlib.Path(), *ABOVE]
            if not any(includes(crate, page) for crate in crates):
                faults.append(f"{page} has Rust code, but src/lib.rs of no crate includes it")
        if page in book and page.name != "SUMMARY.md" and f"({page.relative_to('docs')})" not in summary:
            faults.append(f"{page} is not in docs/SUMMARY.md")
        for target in LINK.findall(CODE.sub("", FENCE.sub("", text))):
            path = target.partition("#")[0]
            if "://" in target or not path:
                continue
            if page in readmes:
                faults.append(f"{page} links to {target}, which is not in its package: use a URL")
            elif not (page.parent / path).exists():
                faults.append(f"{page} links to {target}, which does not exist")

    shown = pathlib.Path("docs/round_robin.rs").read_text()
    if f"```rust\n{shown}```" not in pathlib.Path("docs/dispatcher.md").read_text():
        faults.append("docs/dispatcher.md does not show docs/round_robin.rs as it is")

    print(f"{len(pages)} pages")
    return "\n".join(faults) or 0


if __name__ == "__main__":
    sys.exit(main())
