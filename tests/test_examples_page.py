"""The page of examples is written from the files: `python tests/test_examples_page.py` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS / "examples"
FILE = DOCS / "examples.md"
LANGUAGES = {".py": "python", ".mjs": "js", ".sh": "bash"}

HEAD = """\
# Examples

Files to copy: they need nothing but their language, and each is run by this project's tests as it stands here, against the service
and over real HTTP. The service is at `NOVITA_API_URL`, or else on this machine at port 3000, where no key is needed; elsewhere
`API_KEY` is one of its `API_KEYS`. What the fields mean: [rest.md](rest.md), [webhooks.md](webhooks.md).

This page is made from the files in [`examples/`](examples): `python tests/test_examples_page.py` writes it anew.
"""

SECTIONS = {
    "client.py": "A client in Python: create, wait, list, metrics",
    "client.mjs": "A client in Node: several GPUs at once, with repeats that create nothing twice",
    "create.sh": "A CI job: curl and jq",
    "operations.sh": "For operators: health, metrics and the list in one look",
    "receiver.py": "A webhook receiver in Python",
    "receiver.mjs": "A webhook receiver in Node",
}


def rendered() -> str:
    return HEAD + "".join(section(name, title) for name, title in SECTIONS.items())


def section(name: str, title: str) -> str:
    file = EXAMPLES / name
    code = file.read_text(encoding="utf-8")
    return f"\n## {title}\n\n[`{name}`](examples/{name})\n\n```{LANGUAGES[file.suffix]}\n{code}```\n"


def test_the_page_shows_every_example_as_it_is() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered(), "run: python tests/test_examples_page.py"
    assert {file.name for file in EXAMPLES.iterdir() if file.suffix in LANGUAGES} == set(SECTIONS)


def test_what_another_page_quotes_of_an_example_is_in_it() -> None:
    quoted = [
        (page.name, name, code)
        for page in DOCS.glob("*.md")
        for name, code in re.findall(
            r"From \[`[^`]+`\]\(examples/([\w.]+)\):\n\n```\w+\n(.*?)```", page.read_text(), re.DOTALL
        )
    ]
    assert {name for _page, name, _code in quoted} >= {"receiver.py", "receiver.mjs"}
    for page, name, code in quoted:
        assert code in (EXAMPLES / name).read_text(encoding="utf-8"), (page, name)


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
