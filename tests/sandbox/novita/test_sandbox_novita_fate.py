"""What happens to an instance from outside, and by the hand of a test."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.sandbox.novita.cloud import Cloud
from bot.sandbox.novita.refusals import RefusalError

RUNS = 25


@pytest.fixture
def made(cloud):
    return cloud.create_in_console().id


@pytest.fixture
def spot(cloud, clock):
    made = cloud.create_in_console(billingMode="spot").id
    clock.go(RUNS)
    return made


def test_a_notice_is_seen_and_the_reclaim_comes_when_it_said(cloud, clock, spot):
    at = cloud.notify_reclaim(spot, in_=timedelta(minutes=5))
    assert at == clock() + timedelta(minutes=5)
    seen = []
    for pause in (0, 299, 1, 9, 1):
        clock.go(pause)
        instance = cloud.shown(spot)
        seen.append((instance.spot_status_at(clock()), instance.status_at(clock())))
    assert seen == [
        ("notified", "running"),
        ("notified", "running"),
        ("reclaiming", "stopping"),
        ("reclaiming", "stopping"),
        ("terminated", "exited"),
    ]
    assert cloud.shown(spot).reclaim_at == at
    assert cloud.billed_seconds(spot) == 20 + 300 + 10


def test_a_notice_gives_an_hour_by_itself_sped_up_like_the_rest(clock):
    cloud = Cloud(clock=clock, speed=60)
    spot = cloud.create_in_console(billingMode="spot").id
    assert cloud.notify_reclaim(spot) == clock() + timedelta(minutes=1)


def test_a_reclaim_needs_no_notice_and_can_be_survived(cloud, clock, spot):
    cloud.reclaim(spot)
    assert cloud.shown(spot).reclaim_at == clock()
    clock.go(10)
    cloud.start(spot)
    instance = cloud.shown(spot)
    assert instance.reclaim_at is None
    assert instance.spot_status_at(clock()) == "running"


def test_a_notice_is_void_once_it_is_stopped_or_announced_anew(cloud, clock, spot):
    cloud.notify_reclaim(spot, in_=timedelta(seconds=60))
    cloud.notify_reclaim(spot, in_=timedelta(seconds=120))
    clock.go(61)
    assert cloud.status(spot) == "running"
    cloud.stop_in_console(spot)
    assert cloud.shown(spot).reclaim_at is None
    clock.go(10)
    cloud.start_in_console(spot)
    clock.go(60)
    assert cloud.status(spot) == "running"


def test_a_reclaim_of_what_has_exited_changes_nothing(cloud, clock, spot):
    cloud.stop(spot)
    clock.go(5)
    before = cloud.instance(spot)
    cloud.reclaim(spot)
    assert cloud.instance(spot) == before


def test_only_spot_instances_are_reclaimed(cloud, made):
    with pytest.raises(ValueError, match="no spot instance"):
        cloud.notify_reclaim(made)


def test_the_console_stops_starts_and_deletes(cloud, clock, made):
    clock.go(RUNS)
    cloud.stop_in_console(made)
    clock.go(5)
    assert cloud.status(made) == "exited"
    cloud.start_in_console(made)
    clock.go(15)
    assert cloud.status(made) == "running"
    cloud.delete_in_console(made)
    clock.go(5)
    assert cloud.instances() == []


def test_a_failure_says_so_and_gets_no_further(cloud, clock, made):
    clock.go(10)
    cloud.fail(made, "image not found")
    clock.go(600)
    assert cloud.status(made) == "pulling"
    assert cloud.shown(made).failure.message == "image not found"


def test_a_failure_may_exit_and_a_new_start_forgets_it(cloud, clock, made):
    clock.go(RUNS)
    cloud.fail(made, "out of memory", status="exited")
    assert cloud.status(made) == "exited"
    billed = cloud.billed_seconds(made)
    clock.go(100)
    assert cloud.billed_seconds(made) == billed == 20
    cloud.start(made)
    assert cloud.shown(made).failure is None


def test_a_failure_while_running_leaves_it_running(cloud, clock, made):
    clock.go(RUNS)
    cloud.fail(made, "disk nearly full")
    assert cloud.status(made) == "running"


def test_what_is_held_runs_only_when_released_and_costs_all_the_while(cloud, clock, made):
    cloud.hold(made)
    clock.go(3600)
    assert cloud.status(made) == "pulling"
    assert cloud.billed_seconds(made) == 3595
    cloud.release(made)
    assert cloud.status(made) == "running"
    assert cloud.shown(made).started_at(clock()) == clock()


def test_an_early_release_changes_nothing(cloud, clock, made):
    cloud.hold(made)
    clock.go(10)
    cloud.release(made)
    assert cloud.status(made) == "pulling"
    clock.go(15)
    assert cloud.status(made) == "running"


def test_a_hold_outlives_a_stop_but_does_not_prevent_one(cloud, clock, made):
    clock.go(RUNS)
    cloud.hold(made)
    assert cloud.status(made) == "running"
    cloud.stop(made)
    clock.go(5)
    assert cloud.status(made) == "exited"
    cloud.start(made)
    clock.go(600)
    assert cloud.status(made) == "starting"
    cloud.release(made)
    assert cloud.status(made) == "running"


def test_a_release_of_what_was_not_held_changes_nothing(cloud, made):
    before = cloud.instance(made)
    cloud.release(made)
    assert cloud.instance(made) == before


def test_run_now_is_running_connected_and_usable_at_once(cloud, clock, made):
    cloud.hold(made)
    cloud.set_usable_after(made, timedelta(hours=1))
    cloud.run_now(made)
    leg = cloud.shown(made).leg
    assert cloud.status(made) == "running"
    assert leg.is_connected_at(clock())
    assert leg.is_usable_at(clock())


def test_run_now_does_not_wake_the_dead(cloud, made):
    cloud.delete(made)
    with pytest.raises(ValueError, match="deleted"):
        cloud.run_now(made)


def test_a_slow_app_is_slow_in_this_start_and_in_the_next(cloud, clock, made):
    cloud.set_usable_after(made, timedelta(seconds=100))

    def usable_after(seconds):
        clock.go(seconds)
        return cloud.shown(made).leg.is_usable_at(clock())

    assert [usable_after(RUNS + 99), usable_after(1)] == [False, True]
    cloud.stop(made)
    clock.go(5)
    cloud.set_usable_after(made, timedelta(seconds=50))
    cloud.start(made)
    assert [usable_after(15 + 49), usable_after(1)] == [False, True]


def test_an_empty_balance_refuses_creates_and_starts_until_topped_up(cloud, clock, made):
    clock.go(RUNS)
    running = cloud.create_in_console().id
    cloud.stop(made)
    clock.go(RUNS)
    cloud.set_balance_empty()
    for attempt in (cloud.create_in_console, lambda: cloud.start(made)):
        with pytest.raises(RefusalError) as refusal:
            attempt()
        assert refusal.value.body["reason"] == "BALANCE_NOT_ENOUGH"
    assert cloud.status(running) == "running"
    cloud.top_up()
    cloud.start(made)


def test_an_empty_balance_may_freeze_what_runs(cloud, clock, made):
    stopped = cloud.create_in_console().id
    clock.go(RUNS)
    cloud.stop(stopped)
    clock.go(5)
    cloud.set_balance_empty(freeze=True)
    assert cloud.status(made) == "freezing"
    clock.go(20)
    assert cloud.status(made) == cloud.status(stopped) == "exited"


def test_a_name_that_never_existed_is_a_key_error(cloud):
    for control in (cloud.hold, cloud.release, cloud.run_now, cloud.reclaim, cloud.status):
        with pytest.raises(KeyError):
            control("nothing")
