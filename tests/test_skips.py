"""The rule in conftest.py that CI skips nothing, tried on a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

SKIPPING = """
import pytest

def test_passes(): pass

def test_skips(): pytest.skip("no server here")

@pytest.mark.skip(reason="not today")
def test_marked(): pass

@pytest.mark.xfail(reason="known")
def test_known(): assert False
"""

SKIPPED_WHOLE = 'import pytest\npytest.skip("no driver", allow_module_level=True)\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    return tmp_path


def run(project: Path, *, ci: bool) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "CI" and "PYTEST" not in name}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "."],
        cwd=project,
        env=environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | ({"CI": "true"} if ci else {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_in_ci_a_skip_is_a_failure_that_says_why(project: Path) -> None:
    result = run(project, ci=True)
    assert result.returncode == 1
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in result.stdout
    assert "test_skips was skipped where CI is set (Skipped: no server here)" in result.stdout


def test_elsewhere_a_skip_is_a_skip(project: Path) -> None:
    result = run(project, ci=False)
    assert result.returncode == 0
    assert "1 passed, 2 skipped, 1 xfailed" in result.stdout


def test_in_ci_a_file_that_skips_itself_is_a_failure(project: Path) -> None:
    (project / "test_whole.py").write_text(SKIPPED_WHOLE)
    (project / "test_skipping.py").unlink()
    result = run(project, ci=True)
    assert result.returncode != 0
    assert "test_whole.py was skipped where CI is set" in result.stdout


def test_a_reason_on_the_list_is_allowed(project: Path) -> None:
    conftest = project / "conftest.py"
    listed = 'ALLOWED_SKIPS: dict[str, str] = {"no server": "x", "not today": "y"}'
    conftest.write_text(conftest.read_text().replace("ALLOWED_SKIPS: dict[str, str] = {}", listed))
    assert run(project, ci=True).returncode == 0
