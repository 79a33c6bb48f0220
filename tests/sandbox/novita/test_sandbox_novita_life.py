"""The life of an instance without HTTP: which statuses when, what it costs, what it opens."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.refusals import MissingInstanceError, RefusalError
from bot.sandbox.novita.timeline import Timeline

PULL_BEGINS, RUNS = 5, 25


@pytest.fixture
def made(cloud):
    return cloud.create_in_console().id


def _reason(refusal):
    return refusal.value.body["reason"]


@pytest.mark.parametrize(
    ("after", "status"),
    [(0, "pending"), (1, "toCreate"), (2, "creating"), (4.9, "creating"), (5, "pulling"), (25, "running")],
)
def test_a_create_goes_through_the_real_statuses_by_time_alone(cloud, clock, made, after, status):
    clock.go(after)
    assert cloud.status(made) == status


def test_speed_makes_everything_faster(clock):
    cloud = Cloud(clock=clock, speed=10)
    made = cloud.create_in_console().id
    clock.go(6.6)
    assert cloud.status(made) == "running"


def test_an_immediate_timeline_runs_at_once_and_forgets_at_once(clock):
    cloud = Cloud(clock=clock, timeline=Timeline.immediate())
    made = cloud.create_in_console().id
    assert cloud.status(made) == "running"
    assert cloud.shown(made).leg.is_usable_at(clock())
    cloud.delete(made)
    assert cloud.listed() == []


def test_the_same_seed_gives_the_same_cloud(clock):
    def ids(seed):
        cloud = Cloud(clock=clock, seed=seed)
        return [
            (each.id, each.cluster.id, each.leg) for each in (cloud.create_in_console() for _ in range(5))
        ]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_pulls_differ_and_keep_to_their_limits(clock):
    cloud = Cloud(clock=clock)
    pulls = {cloud.create_in_console().leg.stages[-1].lasts for _ in range(20)}
    assert len(pulls) == 20
    assert timedelta(seconds=20) <= min(pulls) < max(pulls) <= timedelta(seconds=60)


def test_connection_and_use_come_after_running(cloud, clock, made):
    seen = []
    for _ in range(12):
        leg, now = cloud.shown(made).leg, clock()
        seen.append((leg.is_connected_at(now), leg.is_usable_at(now)))
        clock.go(3)
    assert seen == [(False, False)] * 9 + [(True, False)] * 2 + [(True, True)]


def test_stop_leads_to_exited_and_start_back_to_running(cloud, clock, made):
    clock.go(RUNS)
    cloud.stop(made)
    statuses = []
    for pause in (0, 1, 4):
        clock.go(pause)
        statuses.append(cloud.status(made))
    cloud.start(made)
    for pause in (0, 1, 14):
        clock.go(pause)
        statuses.append(cloud.status(made))
    assert statuses == ["toStop", "stopping", "exited", "toStart", "starting", "running"]


def test_restart_leads_back_to_running(cloud, clock, made):
    clock.go(RUNS)
    cloud.restart(made)
    statuses = []
    for pause in (0, 1, 9):
        clock.go(pause)
        statuses.append(cloud.status(made))
    assert statuses == ["toRestart", "restarting", "running"]


def test_a_deleted_one_lingers_in_the_list_and_then_is_absent(cloud, clock, made):
    clock.go(RUNS)
    cloud.delete(made)
    statuses = []
    for pause in (0, 1, 4, 29):
        clock.go(pause)
        statuses.append([each.status_at(clock()) for each in cloud.listed()])
    clock.go(1)
    assert statuses == [["toRemove"], ["removing"], ["removed"], ["removed"]]
    assert cloud.listed() == []
    assert cloud.instances() == []
    assert [each.id for each in cloud.removed_instances()] == [made]
    with pytest.raises(MissingInstanceError):
        cloud.shown(made)


def test_a_second_delete_changes_nothing_and_one_after_removal_finds_nothing(cloud, clock, made):
    first = cloud.delete(made)
    clock.go(2)
    assert cloud.delete(made) == first
    clock.go(3)
    with pytest.raises(MissingInstanceError):
        cloud.delete(made)


@pytest.mark.parametrize("after", [0, 3, 10, 30])
def test_delete_works_at_any_time(cloud, clock, made, after):
    clock.go(after)
    cloud.delete(made)
    clock.go(5)
    assert cloud.status(made) == "removed"


@pytest.mark.parametrize(
    ("verb", "after"), [("start", 0), ("start", 30), ("stop", 0), ("restart", 10), ("restart", 0)]
)
def test_a_verb_at_the_wrong_time_is_an_invalid_state_change(cloud, clock, made, verb, after):
    clock.go(after)
    with pytest.raises(RefusalError) as refusal:
        getattr(cloud, verb)(made)
    assert refusal.value.body == {
        "code": 400,
        "reason": "REQUEST",
        "message": "invalid state change",
        "metadata": {},
    }


def test_an_unknown_one_is_missing_for_every_verb(cloud):
    for verb in (cloud.start, cloud.stop, cloud.restart, cloud.delete, cloud.shown):
        with pytest.raises(MissingInstanceError):
            verb("0" * 16)
    assert cloud.find("0" * 16) is None


def test_a_stop_while_it_pulls_never_gets_to_running(cloud, clock, made):
    clock.go(10)
    cloud.stop(made)
    clock.go(60)
    assert cloud.status(made) == "exited"
    assert cloud.shown(made).started_at(clock()) is None


def test_what_opens_it_changes_with_every_start(cloud, clock, made):
    clock.go(RUNS)
    seen = [cloud.shown(made).access]
    cloud.stop(made)
    clock.go(10)
    cloud.start(made)
    seen.append(cloud.shown(made).access)
    clock.go(20)
    cloud.restart(made)
    seen.append(cloud.shown(made).access)
    assert len({access.password for access in seen}) == 3
    assert seen[0].ssh_port != seen[1].ssh_port != seen[2].ssh_port


def test_a_name_may_repeat(cloud):
    first, second = cloud.create_in_console("same"), cloud.create_in_console("same")
    assert first.id != second.id
    assert cloud.listed() == [second, first]


def test_billing_begins_with_the_pull_and_rests_while_exited(cloud, clock, made):
    clock.go(PULL_BEGINS)
    assert cloud.billed_seconds(made) == 0
    clock.go(20 + 100)
    assert cloud.billed_seconds(made) == 120
    cloud.stop(made)
    clock.go(5)
    assert cloud.billed_seconds(made) == 125
    clock.go(3600)
    assert cloud.billed_seconds(made) == 125
    cloud.start(made)
    clock.go(1 + 14 + 10)
    assert cloud.billed_seconds(made) == 125 + 24
    cloud.delete(made)
    clock.go(3600)
    assert cloud.billed_seconds(made) == 125 + 24 + 5


def test_what_is_deleted_before_the_pull_or_while_exited_costs_nothing_more(cloud, clock, made):
    other = cloud.create_in_console().id
    cloud.delete(other)
    clock.go(RUNS)
    cloud.stop(made)
    clock.go(5)
    billed = cloud.billed_seconds(made)
    cloud.delete(made)
    clock.go(60)
    assert cloud.billed_seconds(other) == 0
    assert cloud.billed_seconds(made) == billed == 25


def test_times_of_the_last_start_and_stop_outlive_the_next_leg(cloud, clock, made):
    began = clock()
    clock.go(100)
    cloud.stop(made)
    clock.go(100)
    cloud.start(made)
    instance = cloud.instance(made)
    assert instance.started_at(clock()) == began + timedelta(seconds=25)
    assert instance.stopped_at(clock()) == began + timedelta(seconds=105)
    clock.go(15)
    assert instance.started_at(clock()) == clock()


def test_no_capacity_is_insufficient_resource_for_create_and_start(cloud, clock, made):
    clock.go(RUNS)
    cloud.stop(made)
    clock.go(5)
    cloud.set_capacity("4090.16c62g", gpus=0)
    for attempt in (cloud.create_in_console, lambda: cloud.start(made)):
        with pytest.raises(RefusalError) as refusal:
            attempt()
        assert _reason(refusal) == "INSUFFICIENT_RESOURCE"
    cloud.set_capacity(gpus=None)
    cloud.start(made)


def test_capacity_counts_per_cluster_and_mode_and_comes_back_with_a_stop(cloud, clock):
    cloud.set_capacity("4090.16c62g", "us-ca-6", "spot", gpus=2)

    def create(**fields):
        return cloud.create_in_console(clusterId="us-ca-6", **fields).id

    first = create(billingMode="spot", gpuNum=2)
    with pytest.raises(RefusalError):
        create(billingMode="spot")
    create(billingMode="onDemand")
    cloud.create_in_console(billingMode="spot", clusterId="cn-hongkong-1")
    clock.go(RUNS)
    cloud.stop(first)
    second = create(billingMode="spot")
    cloud.delete(second)
    create(billingMode="spot", gpuNum=2)


def test_a_create_without_cluster_goes_where_there_is_room(cloud):
    cloud.set_capacity("4090.16c62g", "us-ca-6", gpus=0)
    cloud.set_capacity("4090.16c62g", "as-sgp-2", gpus=0)
    assert {cloud.create_in_console().cluster.id for _ in range(5)} == {"cn-hongkong-1"}
    cloud.set_capacity(gpus=None)
    assert len({cloud.create_in_console().cluster.id for _ in range(30)}) == 3


def test_a_product_is_not_to_be_had_where_it_is_not_sold(cloud):
    with pytest.raises(RefusalError) as refusal:
        cloud.create_in_console(clusterId="5")
    assert _reason(refusal) == "INSUFFICIENT_RESOURCE"


def test_a_paid_month_cannot_be_deleted_and_has_an_end(cloud):
    prepaid = cloud.create_in_console(month=1, billingMode="onDemand")
    assert prepaid.ends_at == prepaid.created_at + timedelta(days=30)
    with pytest.raises(RefusalError) as refusal:
        cloud.delete(prepaid.id)
    assert _reason(refusal) == "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE"


def test_a_late_effect_happens_at_its_own_moment(cloud, clock):
    began = clock()
    cloud.after(timedelta(seconds=10), cloud.create_in_console)
    clock.go(9)
    assert cloud.instances() == []
    clock.go(60)
    (late,) = cloud.instances()
    assert late.created_at == began + timedelta(seconds=10)
    assert isinstance(late.created_at, datetime)


def test_a_late_effect_that_is_refused_is_not_heard_of(cloud, clock):
    cloud.after(timedelta(seconds=1), lambda: cloud.delete("0" * 16))
    clock.go(2)
    assert cloud.instances() == []


def test_what_is_hidden_exists_and_costs(cloud, clock, made):
    cloud.hide(made, timedelta(seconds=60))
    clock.go(59)
    assert cloud.listed() == []
    with pytest.raises(MissingInstanceError):
        cloud.shown(made)
    assert [each.id for each in cloud.instances()] == [made]
    assert cloud.billed_seconds(made) > 0
    clock.go(1)
    assert cloud.shown(made).id == made
