"""Reading one value that a person typed, in a command or in the form: the value, or `Unfit`."""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlsplit

from bot.grammar.nearness import shown

GPU_COUNTS = range(1, 9)
DISK_GB = range(10, 6145)
"""What Novita takes; the product chosen may allow less."""
MAX_NAME = 40
MAX_GPU = 200
MAX_TEMPLATE = 255
MAX_IMAGE = 500
MAX_REGIONS = 10
MAX_URL = 2000
MOST_USD_PER_HOUR = 1000


class Unfit(Exception):
    """`str()` says what was read and what is wrong; `instead`: a value that will do, where one is obvious."""

    def __init__(self, message: str, *, instead: str | None = None) -> None:
        super().__init__(message)
        self.instead = instead


def read_gpu(text: str) -> tuple[str, int | None]:
    """`4090`, `RTX 4090 24GB` or `h100:2`: the GPU, and how many where that was said."""
    gpu, colon, count = text.partition(":")
    gpu = gpu.strip()
    if not gpu:
        raise Unfit(f"There is no GPU in {shown(text)}. It goes before the colon, as in h100:2.")
    _refuse_brackets(gpu)
    if len(gpu) > MAX_GPU:
        raise Unfit(
            f"A GPU's name has at most {MAX_GPU} characters; I read {len(gpu)}.", instead=gpu[:MAX_GPU]
        )
    if not colon:
        return gpu, None
    return gpu, _count(gpu, count.strip())


def read_count(text: str) -> int:
    count = _whole(text)
    if count is None or count not in GPU_COUNTS:
        raise Unfit(f"The number of GPUs is a whole number from 1 to 8; I read {shown(text)}.", instead="1")
    return count


def read_name(text: str) -> str:
    name = text.lower()
    if not re.fullmatch(r"[a-z0-9-]{1,40}", name):
        raise Unfit(
            f"A name has 1 to {MAX_NAME} letters a to z, digits and dashes; I read {shown(text)}.",
            instead=slug(name)[:MAX_NAME].strip("-") or None,
        )
    return name


def read_reference(text: str) -> str:
    """The name or id of something that exists: names that came by REST have more letters, and up to 100."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", text):
        raise Unfit(f"{shown(text)} cannot be the name of an instance.", instead=slug(text)[:100] or None)
    return text


def read_template(text: str) -> str:
    if len(text) > MAX_TEMPLATE:
        raise Unfit(f"A template's name has at most {MAX_TEMPLATE} characters; I read {len(text)}.")
    _refuse_brackets(text)
    return text


def read_image(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._/:@+-]{1,500}", text):
        raise Unfit(f"{shown(text)} is not an image such as pytorch/pytorch:latest.")
    return text


def read_regions(text: str) -> tuple[str, ...]:
    """The regions between the commas, each once."""
    regions: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        regions.setdefault(part.casefold(), part)
        if not re.fullmatch(r"[\w .()/-]{1,60}", part):
            raise Unfit(f"{shown(part)} is not a region such as US-CA-06.")
    if not regions:
        raise Unfit(f"{shown(text)} is not a region such as US-CA-06.")
    if len(regions) > MAX_REGIONS:
        raise Unfit(f"At most {MAX_REGIONS} regions can be named; I read {len(regions)}.")
    return tuple(regions.values())


def read_disk(text: str) -> int:
    disk_gb = _whole(re.sub(r"(?i)\s*gi?b?$", "", text))
    if disk_gb is None:
        raise Unfit(f"The disk is a whole number of GB, such as 80; I read {shown(text)}.")
    if disk_gb not in DISK_GB:
        nearest = DISK_GB[0] if disk_gb < DISK_GB[0] else DISK_GB[-1]
        raise Unfit(
            f"The disk is {DISK_GB[0]} to {DISK_GB[-1]} GB; I read {shown(text)}.", instead=str(nearest)
        )
    return disk_gb


def read_price(text: str) -> Decimal:
    """USD per hour. A decimal comma is refused rather than guessed at: 1,500 may be either."""
    amount = re.sub(r"(?i)^\$\s*|\s*(usd|\$)?(/h)?$", "", text)
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}", amount):
        comma = re.fullmatch(r"([0-9]{1,4}),([0-9]{1,2})", amount)
        raise Unfit(
            f"The highest price is a number of dollars per hour, such as 0.50; I read {shown(text)}.",
            instead=f"{comma[1]}.{comma[2]}" if comma else None,
        )
    price = Decimal(amount)
    if not 0 < price <= MOST_USD_PER_HOUR:
        limits = f"above 0 and at most {MOST_USD_PER_HOUR} dollars per hour"
        raise Unfit(f"The highest price is {limits}; I read {shown(text)}.")
    return price


def read_webhook(text: str) -> str:
    """An http or https URL. Whether its host may be called is judged where hosts are looked up."""
    if len(text) > MAX_URL:
        raise Unfit(f"A webhook's address has at most {MAX_URL} characters; I read {len(text)}.")
    if not re.fullmatch(r"(?i)https?://[^\s<>\"'`\\]+", text) or not _has_host(text):
        bare = re.fullmatch(r"(?i)[a-z0-9-]+(\.[a-z0-9-]+)+([/:?][^\s<>\"'`\\]*)?", text)
        good = bare is not None and _has_host(f"https://{text}")
        raise Unfit(
            f"A webhook's address begins with https:// or http:// and names a host; I read {shown(text)}.",
            instead=f"https://{text}" if good else None,
        )
    if "@" in urlsplit(text).netloc:
        raise Unfit("A webhook's address must not hold a user or a password.")
    return text


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _count(gpu: str, text: str) -> int:
    try:
        return read_count(text)
    except Unfit as fault:
        count = _whole(text)
        nearest = 1 if not count else GPU_COUNTS[-1]
        raise Unfit(str(fault), instead=f"{gpu}:{nearest}") from None


def _refuse_brackets(text: str) -> None:
    """Neither products nor templates have them; what is left of Slack's own markup does."""
    if re.search(r'[<>"]', text):
        raise Unfit(
            f"{shown(text)} has a quotation mark or an angle bracket in it.",
            instead=re.sub(r'[<>":]', "", text).strip() or None,
        )


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False
