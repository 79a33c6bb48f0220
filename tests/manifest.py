"""The app as `manifest.yml` asks for it, installed in the simulated workspace: no test may do or hear more."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from bot.sandbox.slack.installation import App


@cache
def installed_app() -> App:
    text = (Path(__file__).parents[1] / "manifest.yml").read_text(encoding="utf-8")
    return App.from_manifest(yaml.safe_load(text))
