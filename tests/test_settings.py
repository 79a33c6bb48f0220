from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bot.settings import Settings, SettingsError, load, variables
from storage.cloud import BillingMode

KEY = {"NOVITA_API_KEY": "nv_0123456789"}


def read(**environ: str) -> Settings:
    return load({**KEY, **environ})


def faults(**environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read(**environ)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


def all_faults(environ: dict[str, str]) -> tuple[str, ...]:
    try:
        load(environ)
    except SettingsError as error:
        return error.faults
    return ()


def test_only_the_key_is_required() -> None:
    assert [variable.name for variable in variables() if variable.required] == ["NOVITA_API_KEY"]
    settings = load(KEY)
    assert settings.novita_api_key.get_secret_value() == "nv_0123456789"
    assert settings.novita_api_base_url == "https://api.novita.ai"
    assert settings.slack_api_base_url == "https://slack.com/api/"
    assert settings.slack_bot_token is None
    assert settings.database_url.get_secret_value() == "sqlite:///data/gpu-bot.db"
    assert (settings.host, settings.port, settings.api_keys) == ("127.0.0.1", 3000, ())
    assert settings.cors_origin == ()
    assert settings.cors_methods == ("GET", "POST", "PUT", "DELETE", "OPTIONS")
    assert settings.webhook_timeout == timedelta(seconds=15)
    assert settings.webhook_retries == 9
    assert settings.instance_poll_interval == timedelta(seconds=30)
    assert settings.instance_startup_timeout == timedelta(minutes=10)
    assert (settings.default_region, settings.default_gpu_count) == ("CN-HK-01", 1)
    assert settings.default_rootfs_size == 60
    assert settings.default_template is None
    assert settings.default_billing_mode is BillingMode.SPOT
    assert (settings.api_timeout, settings.max_retries) == (timedelta(seconds=30), 3)
    assert settings.retry_delay == timedelta(seconds=1)
    assert settings.circuit_breaker_threshold == 5
    assert settings.circuit_breaker_timeout == timedelta(minutes=1)
    assert settings.product_cache_ttl == timedelta(minutes=30)
    assert settings.template_cache_ttl == timedelta(hours=1)
    assert (settings.rate_limit_window, settings.rate_limit_max_requests) == (timedelta(minutes=1), 100)
    assert settings.request_size_limit == 1024 * 1024
    assert settings.retention_days == 90
    assert settings.novita_rate_limit == 100
    assert (settings.log_level, settings.log_format) == ("info", "json")


def test_a_missing_key_is_one_line_that_names_it() -> None:
    with pytest.raises(SettingsError) as caught:
        load({})
    assert caught.value.faults == ("NOVITA_API_KEY: not set; allowed: visible ASCII characters, no blanks",)


def test_an_empty_value_is_an_unset_one() -> None:
    blanks = {variable.name: "  " if variable.name != "PORT" else "" for variable in variables()}
    assert load({**blanks, **KEY}) == load(KEY)


def test_variables_of_others_are_ignored() -> None:
    assert read(NODE_ENV="production", CACHE_TTL="x", PATH="/bin", JOB_CONCURRENCY="-1") == load(KEY)


def test_every_fault_is_told_at_once_in_the_order_of_the_groups() -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            {
                "PORT": "99999",
                "HOST": "0.0.0.0",
                "SLACK_BOT_TOKEN": "xoxb-1",
                "REQUEST_TIMEOUT": "soon",
                "LOG_FORMAT": "xml",
            }
        )
    assert [line.split(":")[0] for line in caught.value.faults] == [
        "NOVITA_API_KEY",
        "REQUEST_TIMEOUT",
        "SLACK_BOT_TOKEN",
        "HOST",
        "PORT",
        "LOG_FORMAT",
    ]


def test_a_fault_says_what_was_read_and_what_is_allowed() -> None:
    assert faults(API_TIMEOUT="4999") == ('API_TIMEOUT: read "4999"; allowed: 5000 to 120000 (ms)',)
    assert faults(PORT="http\n://é") == (
        'PORT: read "http\\n://\\u00e9"; allowed: 0 to 65535, where 0 is any free one',
    )
    (line,) = faults(DEFAULT_TEMPLATE="x" * 500)
    assert len(line) < 200


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("NOVITA_RATE_LIMIT", 10, 10_000),
        ("API_TIMEOUT", 5_000, 120_000),
        ("MAX_RETRIES", 0, 10),
        ("RETRY_DELAY", 100, 10_000),
        ("CIRCUIT_BREAKER_THRESHOLD", 1, 50),
        ("CIRCUIT_BREAKER_TIMEOUT", 10_000, 600_000),
        ("PRODUCT_CACHE_TTL", 1_000, 86_400_000),
        ("TEMPLATE_CACHE_TTL", 1_000, 86_400_000),
        ("RETENTION_DAYS", 1, 3_650),
        ("PORT", 0, 65_535),
        ("RATE_LIMIT_WINDOW", 60_000, 3_600_000),
        ("RATE_LIMIT_MAX_REQUESTS", 10, 1_000_000),
        ("WEBHOOK_TIMEOUT", 1_000, 60_000),
        ("INSTANCE_STARTUP_TIMEOUT", 60_000, 1_800_000),
        ("DEFAULT_GPU_COUNT", 1, 8),
        ("DEFAULT_ROOTFS_SIZE", 20, 500),
    ],
)
def test_a_number_is_taken_in_its_range_and_refused_outside(name: str, least: int, most: int) -> None:
    for number in (least, most):
        value = getattr(read(**{name: str(number)}), name.lower())
        assert value == (timedelta(milliseconds=number) if isinstance(value, timedelta) else number)
    for text in (str(least - 1), str(most + 1), f"+{least}", f"{most}.0", "1_0", "٣", "ten", "1e3"):
        assert faults(**{name: text})[0].startswith(f"{name}: read ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10), ("300", 300), ("5000", 5), ("30000", 30), ("300000", 300)],
)
def test_the_poll_interval_is_milliseconds_and_small_numbers_are_seconds(text: str, seconds: int) -> None:
    assert read(INSTANCE_POLL_INTERVAL=text).instance_poll_interval == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["0", "9", "301", "4999", "300001", "-10", "30s"])
def test_a_poll_interval_between_the_two_is_refused(text: str) -> None:
    assert faults(INSTANCE_POLL_INTERVAL=text) == (
        f'INSTANCE_POLL_INTERVAL: read "{text}"; allowed: 5000 to 300000, or 10 to 300 for seconds (ms)',
    )


@pytest.mark.parametrize(("text", "tries"), [("0", 0), ("3", 3), ("9", 9), ("10", 9)])
def test_ten_webhook_retries_are_read_as_nine(text: str, tries: int) -> None:
    assert read(WEBHOOK_RETRIES=text).webhook_retries == tries


@pytest.mark.parametrize(
    ("text", "size"),
    [("1mb", 1_048_576), ("512kb", 524_288), ("2 MB", 2_097_152), ("2048", 2048), ("1024b", 1024)],
)
def test_a_size_is_bytes_or_carries_its_unit(text: str, size: int) -> None:
    assert read(REQUEST_SIZE_LIMIT=text).request_size_limit == size


@pytest.mark.parametrize("text", ["0", "1023", "11mb", "1gb", "mb", "1.5mb", "-1"])
def test_a_size_out_of_range_or_of_another_unit_is_refused(text: str) -> None:
    assert "allowed: 1kb to 10mb" in faults(REQUEST_SIZE_LIMIT=text)[0]


@pytest.mark.parametrize(
    ("older", "name", "text"),
    [
        ("MAX_RETRY_ATTEMPTS", "MAX_RETRIES", "7"),
        ("REQUEST_TIMEOUT", "API_TIMEOUT", "7000"),
        ("ALLOWED_ORIGINS", "CORS_ORIGIN", "https://a.example"),
        ("RATE_LIMIT_WINDOW_MS", "RATE_LIMIT_WINDOW", "900000"),
    ],
)
def test_both_spellings_are_read_and_the_present_one_wins(older: str, name: str, text: str) -> None:
    assert read(**{older: text}) == read(**{name: text}) != load(KEY)
    assert read(**{older: "not a value", name: text}) == read(**{name: text})
    assert read(**{older: text, name: ""}) == read(**{name: text})


def test_a_fault_names_the_spelling_that_was_read() -> None:
    assert faults(MAX_RETRY_ATTEMPTS="11") == ('MAX_RETRY_ATTEMPTS: read "11"; allowed: 0 to 10 (tries)',)


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://api.novita.ai/", "https://api.novita.ai"),
        ("https://api.novita.ai/gpu-instance/openapi", "https://api.novita.ai"),
        ("https://api.novita.ai/gpu-instance/openapi/", "https://api.novita.ai"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("http://[::1]:9/novita", "http://[::1]:9/novita"),
    ],
)
def test_the_base_url_comes_without_path_and_slash(text: str, base: str) -> None:
    assert read(NOVITA_API_BASE_URL=text).novita_api_base_url == base


@pytest.mark.parametrize(
    "text",
    [
        "api.novita.ai",
        "ftp://api.novita.ai",
        "https://",
        "https://user@api.novita.ai",
        "https://api.novita.ai?x=1",
        "https://api.novita.ai#x",
        "https://api.novita.ai:0",
        "https://api.novita.ai:99999",
        "https://a b",
        "https://-x-/",
        "https://[::1",
    ],
)
def test_a_base_url_of_another_form_is_refused(text: str) -> None:
    assert faults(NOVITA_API_BASE_URL=text)[0].startswith("NOVITA_API_BASE_URL: read ")


@pytest.mark.parametrize("text", ["http://127.0.0.1:9/api", "http://127.0.0.1:9/api/"])
def test_slacks_base_url_ends_in_a_slash(text: str) -> None:
    assert read(SLACK_API_BASE_URL=text).slack_api_base_url == "http://127.0.0.1:9/api/"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///gpu.db",
        "sqlite:////data/gpu.db",
        "postgresql://u:p@h:5432/d",
        "postgresql:///d?host=/run/postgresql",
    ],
)
def test_the_two_kinds_of_database_are_taken(url: str) -> None:
    assert read(DATABASE_URL=f" {url} ").database_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:canary@h/d",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///folder/",
        "sqlite:///a?mode=ro",
        "postgres://u:canary@h/d",
        "postgresql+asyncpg://u:canary@h/d",
        "postgresql://u:canary@h:0/d",
        "postgresql://u:canary@h:port/d",
        "postgresql://",
    ],
)
def test_another_database_is_refused_without_showing_its_password(url: str) -> None:
    (line,) = faults(DATABASE_URL=url)
    assert line.startswith("DATABASE_URL: read a value that is not shown; allowed: sqlite:///")
    assert "canary" not in line


def test_rest_keys_are_a_list() -> None:
    keys = read(API_KEYS=" first, second ,,first").api_keys
    assert keys == (SecretStr("first"), SecretStr("second"))


@pytest.mark.parametrize("text", ["none", "None", " NONE ", "none,"])
def test_the_word_none_asks_for_no_keys(text: str) -> None:
    assert read(API_KEYS=text, HOST="0.0.0.0").api_keys == "none"


@pytest.mark.parametrize("text", ["none,key", "key,None", "two words", "schlüssel"])
def test_none_beside_a_key_and_a_key_that_no_header_carries_are_refused(text: str) -> None:
    assert faults(API_KEYS=text)[0].startswith("API_KEYS: read a value that is not shown; ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert read(HOST=host).api_keys == ()


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "gpu.example.com", "127.1", "localhost.example"]
)
def test_another_host_without_keys_is_refused(host: str) -> None:
    (line,) = faults(HOST=host, API_KEYS=" , ")
    assert line.startswith(f'HOST: read "{host}", without API_KEYS; allowed: a loopback address')
    assert read(HOST=host, API_KEYS="k").host == host


@pytest.mark.parametrize("host", ["a b", "-x", "http://h", "h:80", "h/", "x" * 64, "é"])
def test_a_host_that_is_none_is_refused_once(host: str) -> None:
    assert len(faults(HOST=host)) == 1
    assert "an address or host name" in faults(HOST=host)[0]


def test_a_bot_token_needs_a_way_to_hear_slack() -> None:
    (line,) = faults(SLACK_BOT_TOKEN="xoxb-canary")
    assert "SLACK_APP_TOKEN" in line
    assert "SLACK_SIGNING_SECRET" in line
    assert "canary" not in line
    assert read(SLACK_BOT_TOKEN="xoxb-1", SLACK_APP_TOKEN="xapp-1").slack_signing_secret is None
    assert read(SLACK_BOT_TOKEN="xoxb-1", SLACK_SIGNING_SECRET="8f").slack_app_token is None
    assert read(SLACK_APP_TOKEN="xapp-1").slack_bot_token is None


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("SLACK_BOT_TOKEN", "xapp-canary", "begins with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-", "begins with xoxb-"),
        ("SLACK_APP_TOKEN", "xoxb-canary", "begins with xapp-"),
        ("SLACK_SIGNING_SECRET", "two canary", "no blanks"),
        ("NOVITA_API_KEY", "canary\x00", "visible ASCII"),
        ("WEBHOOK_SECRET", "whsec_canary!", "base64"),
        ("WEBHOOK_SECRET", "whsec_", "base64"),
        ("WEBHOOK_URL", "https://canary@h/", "http or https"),
        ("WEBHOOK_URL", "canary", "http or https"),
    ],
)
def test_a_bad_secret_is_refused_and_never_shown(name: str, text: str, allowed: str) -> None:
    (line,) = faults(**{"SLACK_APP_TOKEN": "xapp-1", name: text})
    assert line.startswith(f"{name}: read a value that is not shown; ")
    assert allowed in line
    assert "canary" not in line


def test_a_token_in_the_wrong_line_is_not_shown_either() -> None:
    (line,) = faults(SLACK_CHANNEL="xoxb-1-canary")
    assert "canary" not in line
    (line,) = faults(NOVITA_API_BASE_URL="https://me:canary@h")
    assert "canary" not in line


def test_a_webhook_secret_is_kept_exactly_as_written() -> None:
    assert read(WEBHOOK_SECRET=" a b ").webhook_secret == SecretStr(" a b ")
    assert read(WEBHOOK_SECRET="whsec_c2VjcmV0").webhook_secret == SecretStr("whsec_c2VjcmV0")


def test_lists_keep_their_order_and_drop_repetitions() -> None:
    assert read(ADMIN_USERS="U0B, U0A,,U0B,").admin_users == ("U0B", "U0A")
    assert read(CORS_ORIGIN="https://a.example/,http://b:1").cors_origin == (
        "https://a.example",
        "http://b:1",
    )
    assert read(CORS_ORIGIN="*").cors_origin == ("*",)
    assert read(CORS_METHODS="get,Post").cors_methods == ("GET", "POST")
    hosts = read(WEBHOOK_ALLOWED_HOSTS="10.1.0.0/16,Build.Local,fd00::/8,10.2.3.4").webhook_allowed_hosts
    assert hosts == ("10.1.0.0/16", "build.local", "fd00::/8", "10.2.3.4")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ADMIN_USERS", "U0A,bob"),
        ("SLACK_CHANNEL", "#gpus"),
        ("CORS_ORIGIN", "https://a.example/page"),
        ("CORS_ORIGIN", "https://a.example?x"),
        ("CORS_ORIGIN", "null"),
        ("CORS_METHODS", "GET,FETCH"),
        ("WEBHOOK_ALLOWED_HOSTS", "10.1.2.3/16"),
        ("WEBHOOK_ALLOWED_HOSTS", "http://build.local"),
        ("DEFAULT_BILLING_MODE", "monthly"),
        ("DEFAULT_REGION", "CN\x00"),
        ("LOG_LEVEL", "trace"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_word_of_another_form_is_refused(name: str, text: str) -> None:
    (line,) = faults(**{name: text})
    assert line.startswith(f"{name}: read ")


@pytest.mark.parametrize("text", ["onDemand", "ondemand", "on-demand", "ONDEMAND"])
def test_the_billing_mode_ignores_case_and_hyphen(text: str) -> None:
    assert read(DEFAULT_BILLING_MODE=text).default_billing_mode is BillingMode.ON_DEMAND


@pytest.mark.parametrize(
    ("text", "level"),
    [("warn", "warning"), ("WARNING", "warning"), ("Error", "error"), ("debug", "debug")],
)
def test_log_levels_ignore_case(text: str, level: str) -> None:
    assert read(LOG_LEVEL=text).log_level == level


@pytest.mark.parametrize("text", ["console", "simple", "combined"])
def test_older_words_for_logs_to_read_mean_console(text: str) -> None:
    assert read(LOG_FORMAT=text).log_format == "console"


def test_the_environment_wins_over_the_file_whatever_the_spelling(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "\ufeffexport NOVITA_API_KEY='pa$$${HOME}word'  # comment\nAPI_TIMEOUT=6000\nPORT=1\nHOST=\nBARE\n",
        encoding="utf-8",
    )
    settings = load({"REQUEST_TIMEOUT": "7000", "PORT": "", "HOST": "::1"}, file)
    assert settings.novita_api_key.get_secret_value() == "pa$$${HOME}word"
    assert settings.api_timeout == timedelta(seconds=7)
    assert (settings.port, settings.host) == (1, "::1")


def test_a_missing_file_is_no_fault(tmp_path: Path) -> None:
    assert load(KEY, tmp_path / ".env") == load(KEY)


def test_a_file_that_cannot_be_read_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"NOVITA_API_KEY=canary\xff\n")
    with pytest.raises(SettingsError, match="it is not UTF-8") as caught:
        load(KEY, file)
    assert "canary" not in str(caught.value)

    def denied(*_: object, **__: object) -> dict[str, str]:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("bot.settings.dotenv_values", denied)
    with pytest.raises(SettingsError, match="cannot be read: Permission denied"):
        load(KEY, file)


def test_without_a_mapping_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVITA_API_KEY", "from-the-process")
    assert load().novita_api_key.get_secret_value() == "from-the-process"


def test_no_secret_shows_in_repr_str_or_json() -> None:
    settings = read(
        NOVITA_API_KEY="canary-1",
        SLACK_BOT_TOKEN="xoxb-canary-2",
        SLACK_APP_TOKEN="xapp-canary-3",
        SLACK_SIGNING_SECRET="canary-4",
        API_KEYS="canary-5,canary-6",
        WEBHOOK_SECRET="canary-7",
        DATABASE_URL="postgresql://u:canary-8@h/d",
        WEBHOOK_URL="https://h/canary-9",
    )
    for text in (repr(settings), str(settings), settings.model_dump_json(), f"{settings.model_dump()}"):
        assert "canary" not in text
    assert {variable.name for variable in variables() if variable.secret} == {
        "NOVITA_API_KEY",
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
        "API_KEYS",
        "WEBHOOK_SECRET",
        "WEBHOOK_URL",
        "DATABASE_URL",
    }


def test_settings_do_not_change() -> None:
    settings = load(KEY)
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_made_by_hand_take_values_and_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1234")
    settings = Settings(novita_api_key=SecretStr("k"), api_timeout=timedelta(seconds=1), api_keys="none")
    assert (settings.port, settings.api_timeout, settings.api_keys) == (3000, timedelta(seconds=1), "none")


def test_every_default_reads_as_itself() -> None:
    written = {variable.name: variable.default for variable in variables() if variable.default}
    assert load({**KEY, **written}) == load(KEY)


def test_every_variable_is_described() -> None:
    names = [spelling for variable in variables() for spelling in (variable.name, *variable.also)]
    assert len(set(names)) == len(names)
    for variable in variables():
        assert variable.meaning.endswith("."), variable.name
        assert variable.allowed, variable.name
    groups = [variable.group for variable in variables()]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)


@given(st.dictionaries(st.sampled_from([variable.name for variable in variables()]), st.text(max_size=40)))
def test_whatever_is_written_is_read_or_refused_with_a_line_each(environ: dict[str, str]) -> None:
    names = {spelling for variable in variables() for spelling in (variable.name, *variable.also)}
    for line in all_faults(environ):
        assert line.split(":")[0] in names
        assert "; allowed: " in line
        assert "\n" not in line
