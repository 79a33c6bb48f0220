"""`gpu-bot demo`: the service as it is, beside a simulated Slack and a simulated Novita, in a terminal.

```
a line ─► Stage ─► sandbox/slack ─► the service ─► sandbox/novita
          Scene ◄─ sandbox/slack ◄──┘      └─────► webhook receiver ─► Scene
```
"""

from __future__ import annotations

import asyncio
import base64
import math
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO, cast

from bot import settings as settings_of_the_demo
from bot.app import running, utc_now
from bot.logs import configure
from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.server import NovitaServer
from bot.sandbox.slack.server import SlackServer
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.terminal.deeds import read_deed
from bot.sandbox.terminal.fate import Fate
from bot.sandbox.terminal.hook import Receiver
from bot.sandbox.terminal.lines import Keyboard, Lines, PipedLines, ScriptLines
from bot.sandbox.terminal.scene import Scene
from bot.sandbox.terminal.screen import LogStream, Screen
from bot.sandbox.terminal.stage import Stage
from bot.sandbox.terminal.waiting import Patience, Settling
from bot.sandbox.terminal.words import MAIN_JOB, introduction
from bot.settings import Settings, SettingsError
from bot.timings import Timings
from bot.web.server import ListenError
from storage.errors import NoSuchInstance
from storage.records import State
from storage.store.finding import Find
from storage.store.store import Store
