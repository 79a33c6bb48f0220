"""Records as extreme as they come, for what must hold of every message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st

from bot.grammar.commands import Create, Offers
from bot.messages.home import HomeFacts
from bot.quotes import Priced, Quote
from storage.cloud import (
    BillingMode,
    Connection,
    Details,
    Endpoint,
    Observation,
    Offer,
    Phase,
    Secrets,
)
from storage.records import (
    CreateRequest,
    Event,
    EventKind,
    Failure,
    Instance,
    NewEvent,
    Notify,
    Outcome,
    Reason,
    State,
    Totals,
    Wish,
)

# Nothing here is about time, and the machine may be busy.
unhurried = settings(deadline=None)


def some(share: float) -> settings:
    """Of the usual number of examples, where each is large."""
    return settings(unhurried, max_examples=max(3, round(settings.default.max_examples * share)))


NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SSH = "ssh -p 32787 root@proxy.us-ca-6.gpu-instance.novita.ai"
PASSWORD = "s3cret-Passw0rd"
TOKEN = "t0ken-of-jupyter"
WEBHOOK = "https://hooks.example.com/t0ken-of-webhook"

INJECTIONS = st.sampled_from(
    [
        "<!channel>",
        "<!here|all of you>",
        "<@U0VICTIM>",
        "<https://evil.example|bill>",
        "&lt;!channel&gt;",
        "<script>alert(1)</script>",
        "عتاد \u202b מחשב",
        "&<>\"'",
        "*bold* _it_ `code` ```pre```",
        "`<!everyone>`",
        "<!date^0^x|y>",
        "<script>alert(1)</script>",
        "&<>&<>",
        "שלום <b>עולם</b> \u202eמימין",
        "مرحبا *بالعالم* `كود`",
        "Zürich–東京 ×2",
        "https://a.example.com/?token=" + "t0ken-of-a-text",
        "line\nbreak\r\n\x00\u202e\u200b end",
        "&" * 3000,
        "x" * 3000,
        "🙂" * 500,
        "\ud83d",
        "",
        " ",
    ]
)
WILD = INJECTIONS | st.text(max_size=60)
NAMES = st.sampled_from(["my-train", "a", "A_b-" * 25, "x" * 40]) | st.from_regex(
    r"[A-Za-z0-9_-]{1,100}", fullmatch=True
)
IDS = st.from_regex(r"[a-z0-9]{16}", fullmatch=True)
PEOPLE = st.none() | st.sampled_from(["U0ALICE", "W0BOB", "<!channel>"])
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
PRICES = st.decimals("0", "100", places=5)
MODES = st.sampled_from(BillingMode)
FAILURES = st.builds(Failure, code=WILD, message=WILD)
OFFERS = st.builds(
    Offer,
    product_id=WILD,
    product_name=WILD,
    cluster_id=WILD,
    region=WILD,
    billing_mode=MODES,
    gpu_count=st.integers(1, 8),
    usd_per_gpu_hour=PRICES,
)
REQUESTS = st.builds(
    CreateRequest,
    name=NAMES,
    gpu=WILD.map(lambda text: text[:200]),
    gpu_count=st.integers(1, 8),
    template=st.none() | WILD,
    image=st.none() | WILD,
    billing_mode=MODES,
    regions=st.lists(WILD, max_size=3).map(tuple),
    regions_only=st.booleans(),
    disk_gb=st.integers(10, 6144),
    max_usd_per_hour=st.none() | PRICES,
    webhook_url=st.none() | st.just(WEBHOOK),
)
URLS = st.sampled_from(
    [
        f"https://a1-8888.example.com/lab?token={TOKEN}",
        f"https://a1-8888.example.com:8443/lab#token={TOKEN}",
        f"https://a1-8888.example.com/lab;jsessionid={TOKEN}?x",
        f"https://root:{PASSWORD}@a1-8888.example.com/",
        "http://127.0.0.1:4321/n1/8888",
        "https://a1-8888.example.com|evil>",
        f"https://{'long.' * 50}example.com/",
        "javascript:alert(1)",
        "proxy.example.com:31000",
        "https://",
        "",
    ]
)
ENDPOINTS_SHOWN = st.builds(
    Endpoint,
    port=st.integers(1, 65535),
    protocol=st.sampled_from(["http", "tcp"]) | WILD,
    url=st.none() | URLS | WILD,
)
CREATES = st.builds(
    Create,
    gpu=st.none() | WILD.map(lambda text: text[:200]),
    gpu_count=st.none() | st.integers(1, 8),
    name=st.none() | NAMES,
    template=st.none() | WILD,
    image=st.none() | WILD,
    billing_mode=st.none() | MODES,
    regions=st.lists(WILD, max_size=3).map(tuple),
    disk_gb=st.none() | st.integers(10, 6144),
    max_usd_per_hour=st.none() | PRICES,
    webhook_url=st.none() | st.just(WEBHOOK) | st.just(f"https://example.com/{'&' * 1900}"),
    yes=st.booleans(),
)
PRICED = st.builds(
    Priced,
    offer=OFFERS,
    command=CREATES,
    stock=st.none() | st.sampled_from(["none", "low", "normal", "high"]) | WILD,
    regions=st.lists(WILD, max_size=12).map(tuple),
)
QUOTES = st.builds(
    Quote,
    key=st.sampled_from(["k", "command:1.2:x", "k" * 1990, "k" * 3000]),
    asked=CREATES,
    request=REQUESTS,
    best=st.none() | PRICED,
    missing=st.none() | WILD,
    alternatives=st.lists(PRICED, max_size=3).map(tuple),
    limit_usd_per_hour=st.none() | PRICES,
)
OFFERS_ASKED = st.builds(
    Offers,
    gpu=st.none() | WILD.map(lambda text: text[:200]),
    gpu_count=st.none() | st.integers(1, 8),
    max_usd_per_hour=st.none() | PRICES,
)
CONNECTIONS = st.just(
    Connection(
        ssh=SSH,
        jupyter="https://a1-8888.example.com",
        web_terminal="https://a1-term.example.com",
        endpoints=(Endpoint(port=8888, protocol="http", url="https://a1-8888.example.com"),),
    )
) | st.builds(
    Connection,
    ssh=st.just(SSH),
    jupyter=st.none() | URLS,
    web_terminal=st.none() | URLS,
    endpoints=st.lists(ENDPOINTS_SHOWN, max_size=15).map(tuple),
)
INSTANCES = st.builds(
    Instance,
    id=IDS,
    name=NAMES,
    requester=PEOPLE,
    team_id=st.just("T1"),
    channel=st.just("C1"),
    request=REQUESTS,
    created_at=TIMES,
    state=st.sampled_from(State),
    wish=st.none() | st.sampled_from(Wish),
    wished_by=PEOPLE,
    wished_at=TIMES,
    call=st.none() | st.sampled_from(Wish),
    outcome=st.none() | st.sampled_from(Outcome),
    underway=st.booleans(),
    retry_at=st.none() | TIMES,
    refusal=st.none() | FAILURES,
    offer=st.none() | OFFERS,
    novita_id=st.none() | WILD,
    bound_at=st.none() | TIMES,
    status=st.none() | WILD,
    phase=st.none() | st.sampled_from(Phase),
    status_error=st.none() | WILD,
    reclaim_at=st.none() | TIMES,
    delayed_since=st.none() | TIMES,
    connection=st.none() | CONNECTIONS,
    ready_at=st.none() | TIMES,
    usable_at=st.none() | TIMES,
    reason=st.none() | st.sampled_from(Reason),
    error=st.none() | FAILURES,
    billing_since=st.none() | TIMES,
    billed_usd=st.decimals("0", "1000000", places=10),
    acted_at=TIMES,
    updated_at=TIMES,
)
FACTS = st.builds(
    NewEvent,
    kind=st.sampled_from(EventKind),
    at=TIMES,
    actor=PEOPLE,
    verb=st.none() | st.sampled_from(Wish),
    reason=st.none() | st.sampled_from(Reason),
    error=st.none() | FAILURES,
    note=st.none() | WILD,
    elapsed=st.none() | st.timedeltas(timedelta(0), timedelta(days=400)),
)
EVENTS = st.builds(
    Event, id=IDS, instance_id=IDS, sequence=st.integers(1, 10_000), fact=FACTS, instance=INSTANCES
)
ENDPOINTS = st.builds(
    Endpoint,
    port=st.integers(1, 65535),
    protocol=WILD,
    url=st.none() | WILD | st.just("https://a.example.com:8888/"),
)
SECRETS = st.builds(
    Secrets,
    ssh_password=st.none() | WILD | st.just(PASSWORD),
    jupyter_url=st.none() | WILD | st.just(f"https://a1-8888.example.com/?token={TOKEN}"),
    web_terminal_url=st.none() | WILD,
    web_terminal_username=st.none() | WILD,
    web_terminal_password=st.none() | WILD,
)
DETAILS = st.builds(
    Details,
    observation=st.just(Observation(novita_id="n1", name="gb-x", status="running", phase=Phase.RUNNING)),
    connection=CONNECTIONS
    | st.builds(
        Connection,
        ssh=st.none() | WILD,
        jupyter=st.none() | WILD,
        web_terminal=st.none() | WILD,
        endpoints=st.lists(ENDPOINTS, max_size=20).map(tuple),
    ),
    complete=st.booleans(),
    secrets=SECRETS,
)
USUAL = st.none() | st.timedeltas(timedelta(0), timedelta(days=30))
HISTORIES = st.lists(FACTS, max_size=12)
TOTALS = st.builds(
    Totals,
    running=st.integers(0, 500),
    under_way=st.integers(0, 500),
    stopped=st.integers(0, 500),
    usd_per_hour=PRICES,
)
HOMES = st.builds(
    HomeFacts,
    user_id=st.just("U0ALICE"),
    instances=st.lists(INSTANCES, max_size=6, unique_by=lambda i: i.id).map(tuple),
    total=st.integers(0, 500),
    failures=st.lists(INSTANCES, max_size=4, unique_by=lambda i: i.id).map(tuple),
    mine=TOTALS,
    team=TOTALS,
    notify=st.sampled_from(Notify),
    now=st.just(NOW),
)
ZERO = Decimal(0)
