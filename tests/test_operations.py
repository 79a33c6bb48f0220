"""What a person or a program may ask for, and who may."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from samples import seconds
from scene import ADA, ADMIN, ASKED, BEN, GUEST, PROGRAM, Origin, Scene, scene

from bot.errors import (
    ForbiddenReceiver,
    InstanceNotFound,
    InvalidState,
    KeyReused,
    NameTaken,
    NotAllowed,
    NotSent,
    ProductNotFound,
    UsageError,
)
from bot.operations import Operations
from storage.cloud import BillingMode, Secrets
from storage.records import Instance, State, Wish

HERE = Origin(key="command:1", channel="C1")


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def create(s: Scene, *, actor=ADA, key: str | None = None, channel: str | None = "C1", **changes):
    origin = Origin(key=key, channel=channel)
    return await s.operations.create(replace(ASKED, **changes), actor, origin, unique_name=True)


# --- create ---------------------------------------------------------------------------------------


async def test_a_request_is_on_disk_with_its_defaults_and_wakes_the_reconciler(s: Scene):
    i = await create(s)
    assert (i.state, i.wish, i.requester, i.channel) == (State.CREATING, Wish.CREATE, "U1", "C1")
    assert (i.request.gpu_count, i.request.disk_gb, i.request.regions) == (1, 60, ("CN-HK-01",))
    assert (i.request.billing_mode, i.request.regions_only) == (BillingMode.SPOT, False)
    assert await s.now(i) == i
    assert s.woken


async def test_typed_regions_are_the_only_ones_those_of_rest_are_preferred(s: Scene):
    typed = await create(s, regions=("US-CA-06",))
    assert typed.request.regions_only
    over_rest = await create(s, name="b", regions=("US-CA-06",), regions_only=False)
    assert not over_rest.request.regions_only


async def test_a_second_delivery_gives_the_same_instance(s: Scene):
    first = await create(s, key="command:1")
    again = await create(s, key="command:1")
    assert (again.id, (await s.operations.list_instances(ADA, everybody=True))[1]) == (first.id, 1)


async def test_a_name_in_use_is_refused_and_the_next_free_one_proposed(s: Scene):
    await create(s)
    with pytest.raises(NameTaken) as taken:
        await create(s)
    assert (taken.value.name, taken.value.hint) == ("my-train", "my-train-2")


async def test_programs_may_repeat_a_name(s: Scene):
    for _ in range(2):
        await s.operations.create(ASKED, PROGRAM, Origin(key=None), unique_name=False)
    assert (await s.operations.list_instances(PROGRAM, everybody=True))[1] == 2


async def test_a_name_is_made_of_the_gpu_where_none_is_given(s: Scene):
    cold = await create(s, name=None)
    assert cold.name.startswith("4090-")
    await s.catalog.warm()
    warm = await create(s, name=None)
    assert warm.name.startswith("rtx-4090-")
    assert len(warm.name) == len("rtx-4090-") + 4


async def test_what_memory_disproves_is_refused_before_anything_is_written(s: Scene):
    await s.catalog.warm()
    with pytest.raises(ProductNotFound):
        await create(s, gpu="B300")
    assert (await s.operations.list_instances(ADA, everybody=True)) == ((), 0)


async def test_neither_template_nor_image_is_an_error_unless_there_is_a_default(s: Scene):
    with pytest.raises(UsageError, match="template or an image"):
        await create(s, template=None)
    s.operations.defaults = replace(s.operations.defaults, template="107672")
    assert (await create(s, template=None)).request.template == "107672"
    by_image = await create(s, name="b", template=None, image="mine:1")
    assert (by_image.request.template, by_image.request.image) == (None, "mine:1")


async def test_a_guest_may_nothing(s: Scene):
    i = await create(s)
    with pytest.raises(NotAllowed):
        await create(s, actor=GUEST)
    with pytest.raises(NotAllowed):
        await s.operations.act(Wish.STOP, i.id, GUEST, Origin(key=None))
    with pytest.raises(NotAllowed):
        await s.operations.get(i.id, GUEST)
    with pytest.raises(NotAllowed):
        await s.operations.list_instances(GUEST, everybody=True)
    with pytest.raises(NotAllowed):
        await s.operations.connect(i.id, GUEST)
    assert not s.operations.may_act(GUEST, i)


# --- act ------------------------------------------------------------------------------------------


async def test_a_wish_is_recorded_once_for_each_request(s: Scene):
    i = await s.ready()
    s.woken.clear()
    first = await s.operations.act(Wish.STOP, "MY-TRAIN", ADA, Origin(key="command:2"))
    again = await s.operations.act(Wish.STOP, "my-train", ADA, Origin(key="command:2"))
    later = await s.operations.act(Wish.STOP, i.id, ADA, Origin(key="command:3"))
    assert [acted.nothing_to_do for acted in (first, again, later)] == [False, False, True]
    assert len(s.woken) == 1
    assert (await s.now(i)).wished_by == "U1"


async def test_who_may_act(s: Scene):
    i = await s.ready()
    for somebody in (ADA, ADMIN, PROGRAM):
        assert s.operations.may_act(somebody, i)
    with pytest.raises(NotAllowed, match="Only <@U1> or an administrator"):
        await s.operations.act(Wish.STOP, i.id, BEN, Origin(key=None))
    assert (await s.now(i)).wish is None


async def test_an_instance_that_came_by_rest_belongs_to_admins_or_to_all_members(s: Scene):
    i = await s.ready(requester=None)
    with pytest.raises(NotAllowed, match="Only an administrator"):
        await s.operations.act(Wish.STOP, i.id, BEN, Origin(key=None))
    without_admins = Operations(
        store=s.store,
        catalog=s.catalog,
        novita=s.novita,
        clock=s.clock,
        defaults=s.operations.defaults,
        admins=frozenset(),
        wake=lambda: None,
    )
    assert without_admins.may_act(BEN, i)
    assert not without_admins.may_act(GUEST, i)


async def test_the_only_instance_needs_no_name(s: Scene):
    with pytest.raises(InstanceNotFound, match="You have no instance"):
        await s.operations.act(Wish.STOP, None, ADA, Origin(key=None))
    await s.ready()
    assert (await s.operations.act(Wish.STOP, None, ADA, Origin(key=None))).instance.name == "my-train"
    await create(s, name="second")
    with pytest.raises(UsageError, match="several") as several:
        await s.operations.act(Wish.STOP, None, ADA, Origin(key=None))
    assert several.value.hint in ("/gpu stop second", "/gpu stop my-train")


async def test_an_unknown_name_gets_the_nearest(s: Scene):
    await s.ready()
    with pytest.raises(InstanceNotFound, match="no instance called my-trian") as missed:
        await s.operations.act(Wish.STOP, "my-trian", ADA, Origin(key=None))
    assert missed.value.hint == "/gpu stop my-train"
    with pytest.raises(InstanceNotFound) as far_off:
        await s.operations.get("qqqqqqq", ADA)
    assert far_off.value.hint == "/gpu list all"


async def test_a_verb_that_the_state_forbids_changes_nothing(s: Scene):
    i = await create(s)
    with pytest.raises(InvalidState):
        await s.operations.act(Wish.STOP, i.id, ADA, Origin(key="command:9"))
    assert (await s.now(i)).version == i.version


# --- reading --------------------------------------------------------------------------------------


async def test_everybody_reads_everything_and_mine_is_mine(s: Scene):
    await create(s)
    await create(s, actor=BEN, name="bens")
    mine, total = await s.operations.list_instances(ADA, everybody=False)
    assert ([i.name for i in mine], total) == (["my-train"], 1)
    assert (await s.operations.list_instances(ADA, everybody=True, limit=1))[1] == 2
    assert (await s.operations.get("bens", ADA)).requester == "U2"


async def connectable(s: Scene) -> Instance:
    return await s.ready()


async def test_connecting_is_acting_and_fetches_the_password_now(s: Scene):
    i = await connectable(s)
    got, details = await s.operations.connect("my-train", ADA)
    assert (got.id, details.connection.ssh is not None) == (i.id, True)
    assert isinstance(details.secrets, Secrets)
    with pytest.raises(NotAllowed):
        await s.operations.connect("my-train", BEN)


@pytest.mark.parametrize(
    ("state", "hint"), [(State.STOPPED, "/gpu start my-train"), (State.CREATING, "/gpu status my-train")]
)
async def test_there_is_nothing_to_connect_to_unless_it_runs(s: Scene, state, hint):
    await s.ask(state=state)
    with pytest.raises(InvalidState, match="nothing to connect to") as refused:
        await s.operations.connect(None, ADA)
    assert refused.value.hint == hint


async def test_a_create_that_cannot_be_sent_yet_is_not_looked_at_before(s: Scene):
    s.novita.refusing = NotSent("Too many calls.", retry_after=seconds(40))
    i = await create(s)
    assert i.refusal is not None
    assert i.refusal.message == "Too many calls."  # what its card says meanwhile
    s.novita.refusing = None
    await s.settle()
    assert (await s.now(i)).attempt == 0
    s.clock.advance(40)
    await s.settle()
    assert (await s.now(i)).attempt == 1


async def test_who_reads_on_and_on_sees_secrets_once_there_are_some(s: Scene):
    i = await s.ask()
    assert await s.operations.look_inside(i.id, PROGRAM) == (await s.now(i), Secrets())
    ready = await s.ready(id="b" * 16, name="other")
    s.novita.secrets = Secrets(ssh_password="hunter2")
    shown, secrets = await s.operations.look_inside("other", PROGRAM)
    assert (shown.id, secrets) == (ready.id, Secrets(ssh_password="hunter2"))


async def test_a_webhook_that_may_not_be_named_is_refused_and_nothing_is_made(s: Scene):
    with pytest.raises(ForbiddenReceiver):
        await create(s, webhook_url="http://10.0.0.1/hook")
    assert (await s.operations.list_instances(PROGRAM, everybody=True))[1] == 0


async def test_the_correlation_id_is_that_of_the_latest_wish(s: Scene):
    traced = Origin(key=None, correlation_id="build-17")
    i = await s.operations.create(ASKED, PROGRAM, traced, unique_name=False)
    assert i.correlation_id == "build-17"
    acted = await s.operations.act(Wish.DELETE, i.id, PROGRAM, Origin(key=None, correlation_id="bye"))
    assert acted.instance.correlation_id == "bye"
    again = await s.operations.act(Wish.DELETE, i.id, PROGRAM, Origin(key=None, correlation_id="again"))
    assert again.instance.correlation_id == "bye"  # nothing was wished


async def test_a_repetition_is_answered_as_the_first_time_whatever_has_become_impossible(s: Scene):
    keyed = Origin(key="rest:k", fingerprint="f")
    await s.catalog.warm()
    made = await s.operations.create(ASKED, PROGRAM, keyed, unique_name=False)
    gone = replace(ASKED, gpu="H100")  # stands for a catalogue that has it no longer
    assert await s.operations.create(gone, PROGRAM, keyed, unique_name=False) == made
    with pytest.raises(KeyReused):
        await s.operations.create(gone, PROGRAM, replace(keyed, fingerprint="g"), unique_name=False)
    with pytest.raises(ProductNotFound):
        await s.operations.create(gone, PROGRAM, replace(keyed, key="rest:new"), unique_name=False)


async def test_a_create_waits_five_minutes_at_most_before_it_is_looked_at(s: Scene):
    s.novita.refusing = NotSent("Paused.", retry_after=timedelta(minutes=10))
    i = await create(s)
    s.clock.advance(300)
    await s.settle()
    assert (await s.now(i)).refusal is not None
