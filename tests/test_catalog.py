"""Look-ups shared, kept, served stale; what memory disproves; the plan of a create."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from clocks import Clock
from samples import REQUEST

from bot.catalog import Catalog
from bot.errors import BotError, NoOffer, NovitaUnavailable, ProductNotFound, TemplateNotFound
from bot.metrics import Metrics
from storage.cloud import BillingMode, Cluster, Env, Port, Product, Template

TEMPLATE = Template(
    id="107672",
    name="pytorch-jupyter",
    channel="official",
    image="pytorch:1",
    registry_auth_id="r1",
    ports=(Port(number=8888, protocol="http"),),
    envs=(Env(key="A", value="1"),),
    command="start",
)


class Novita:
    """Counts look-ups; `down` makes them fail; `gate` holds them."""

    def __init__(self) -> None:
        self.gpu = "RTX 4090 24GB"
        self.asked: list[str] = []
        self.down: BaseException | None = None
        self.price = "0.36"
        self.gate = asyncio.Event()
        self.gate.set()

    async def _answer(self, what: str) -> None:
        self.asked.append(what)
        await self.gate.wait()
        if self.down is not None:
            raise self.down

    async def list_products(self, billing_mode: BillingMode) -> tuple[Product, ...]:
        await self._answer(f"products {billing_mode}")
        product = Product(
            id="p1",
            name=self.gpu,
            billing_mode=billing_mode,
            usd_per_gpu_hour=Decimal(self.price),
            available=billing_mode is BillingMode.SPOT,
        )
        return (product,)

    async def list_clusters(self) -> tuple[Cluster, ...]:
        await self._answer("clusters")
        return (Cluster(id="cn-hongkong-1", name="CN-HK-01 (Hong Kong)"),)

    async def list_templates(self) -> tuple[Template, ...]:
        await self._answer("templates")
        return (TEMPLATE,)

    async def get_template(self, template_id: str) -> Template:
        await self._answer(f"template {template_id}")
        return replace(TEMPLATE, id=template_id, name="community")


def catalog(novita: Novita, clock: Clock) -> Catalog:
    return Catalog(novita, clock=clock, product_ttl=timedelta(minutes=30), template_ttl=timedelta(minutes=60))


async def plan(subject: Catalog, **changes: object):
    return await subject.plan(replace(REQUEST, **changes), refused=(), first_usd_per_hour=None)


async def test_twenty_who_ask_at_once_share_one_look_up():
    novita = Novita()
    subject = catalog(novita, Clock())
    novita.gate.clear()
    waiting = [asyncio.create_task(plan(subject)) for _ in range(20)]
    await asyncio.sleep(0)
    novita.gate.set()
    assert {(await task).offer.product_id for task in waiting} == {"p1"}
    assert sorted(novita.asked) == ["clusters", "products spot", "templates"]


async def test_one_who_gives_up_does_not_end_the_look_up_of_the_others():
    novita = Novita()
    subject = catalog(novita, Clock())
    novita.gate.clear()
    first, second = asyncio.create_task(plan(subject)), asyncio.create_task(plan(subject))
    await asyncio.sleep(0)
    first.cancel()
    novita.gate.set()
    assert (await second).offer.product_id == "p1"


async def test_what_is_bought_is_chosen_from_prices_no_older_than_a_minute():
    novita, clock = Novita(), Clock()
    subject = catalog(novita, clock)
    await subject.warm()
    novita.price = "0.40"
    clock.advance(59)
    assert (await plan(subject)).offer.usd_per_gpu_hour == Decimal("0.36")
    clock.advance(2)
    assert (await plan(subject)).offer.usd_per_gpu_hour == Decimal("0.40")
    assert novita.asked.count("clusters") == 1


async def test_what_is_looked_up_in_advance_is_neither_a_hit_nor_a_miss():
    metrics, hour = Metrics(), timedelta(hours=1)
    subject = Catalog(Novita(), clock=Clock(), product_ttl=hour, template_ttl=hour, metrics=metrics)
    await subject.warm()
    await subject.warm()
    assert metrics.cache_hits() == (0, 0)
    await plan(subject)
    assert metrics.cache_hits() == (3, 0)


async def test_stale_answers_are_served_while_novita_is_down():
    novita, clock = Novita(), Clock()
    subject = catalog(novita, clock)
    await subject.warm()
    clock.advance(86_400)
    novita.down = NovitaUnavailable("Down.")
    assert (await plan(subject)).offer.product_id == "p1"


async def test_a_start_with_novita_down_knows_nothing_and_disproves_nothing():
    novita = Novita()
    novita.down = NovitaUnavailable("Down.")
    subject = catalog(novita, Clock())
    await subject.warm()
    subject.disprove(replace(REQUEST, gpu="nonsense", template="nonsense"))
    assert subject.known_products(BillingMode.SPOT) == ()
    assert (subject.known_clusters(), subject.known_templates()) == ((), ())
    with pytest.raises(NovitaUnavailable):
        await plan(subject)


async def test_a_fault_of_our_own_is_not_hidden_while_warming():
    novita = Novita()
    novita.down = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await catalog(novita, Clock()).warm()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"gpu": "B300"}, ProductNotFound),
        ({"template": "pytorch-jupiter"}, TemplateNotFound),
        ({"regions": ("MARS",), "regions_only": True}, BotError),
        ({"max_usd_per_hour": Decimal("0.01")}, NoOffer),
    ],
)
async def test_memory_disproves_what_cannot_be_had(changes, error):
    subject = catalog(Novita(), Clock())
    await subject.warm()
    with pytest.raises(error):
        subject.disprove(replace(REQUEST, **changes))


@pytest.mark.parametrize(
    "changes",
    [{}, {"template": "999"}, {"template": None, "image": "x"}, {"billing_mode": BillingMode.ON_DEMAND}],
)
async def test_memory_does_not_disprove_what_may_be_had(changes):
    """Out of stock half an hour ago is no proof, nor is a template that the lists do not show."""
    subject = catalog(Novita(), Clock())
    await subject.warm()
    subject.disprove(replace(REQUEST, **changes))


async def test_the_order_is_copied_out_of_the_template():
    order = (await plan(catalog(Novita(), Clock()))).order("gb-x")
    assert (order.name, order.image, order.registry_auth_id) == ("gb-x", "pytorch:1", "r1")
    assert (order.ports, order.envs, order.command) == (TEMPLATE.ports, TEMPLATE.envs, "start")
    assert order.disk_gb == 60


async def test_an_image_needs_no_template():
    order = (await plan(catalog(Novita(), Clock()), template=None, image="mine:1")).order("gb-x")
    assert (order.image, order.ports) == ("mine:1", ())


async def test_a_template_that_no_list_shows_is_asked_for_by_its_number():
    novita = Novita()
    assert (await plan(catalog(novita, Clock()), template="999")).template == replace(
        TEMPLATE, id="999", name="community"
    )
    with pytest.raises(TemplateNotFound):
        await plan(catalog(novita, Clock()), template="nonsense")


async def test_what_memory_did_not_disprove_is_judged_anew_when_memory_is_new():
    novita, clock = Novita(), Clock()
    subject = catalog(novita, clock)
    await subject.warm()
    subject.disprove(REQUEST)
    subject.disprove(replace(REQUEST, name="another", webhook_url="https://hooks.example.com"))
    assert len(subject._possible) == 1
    novita.gpu = "H100"
    clock.advance(31 * 60)
    await subject.warm()
    with pytest.raises(ProductNotFound):
        subject.disprove(REQUEST)


async def test_it_remembers_only_so_many_requests():
    subject = catalog(Novita(), Clock())
    await subject.warm()
    for number in range(1_001):
        subject.disprove(replace(REQUEST, template=str(number)))
    assert len(subject._possible) <= 1_000


async def test_what_is_on_sale_can_be_had_now():
    subject = catalog(Novita(), Clock())
    found = await subject.on_sale(BillingMode.SPOT)
    assert found
    assert all(product.available and product.usd_per_gpu_hour is not None for product in found)
