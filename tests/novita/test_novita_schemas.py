from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.novita import schemas
from bot.novita.answers import Answer, Malformed
from bot.novita.pages import instances_page, templates_page
from storage.cloud import BillingMode, Cluster, Env, Phase, Port, Spot, Tool

AT = datetime(2026, 11, 20, tzinfo=UTC)
SPOT, ON_DEMAND = BillingMode.SPOT, BillingMode.ON_DEMAND

PRODUCT = {
    "id": "4090.16c62g",
    "name": "RTX 4090 24GB",
    "cpuPerGpu": 16,
    "memoryPerGpu": "62",
    "diskPerGpu": 6144,
    "availableDeploy": True,
    "inventoryState": "high",
    "minRootFS": 10,
    "maxRootFS": 6144,
    "minLocalStorage": 0,
    "maxLocalStorage": 6144,
    "regions": ["US-CA-06 (California)"],
    "price": "35000",
    "spotPrice": "17500",
    "monthlyPrice": [{"price": "21000000", "month": 1}],
    "billingMethods": ["onDemand", "monthly", "spot"],
}
TEMPLATE = {
    "Id": 107672,
    "name": "PyTorch 2.7",
    "channel": "official",
    "image": "pytorch/pytorch:latest",
    "imageAuth": "42",
    "ports": [{"type": "http", "ports": [8888, "6006"]}, {"type": "TCP", "ports": [22]}],
    "envs": [{"key": "MODE", "value": " spaced "}, {"key": "", "value": "nameless"}],
    "tools": [{"name": "Jupyter", "describe": "", "port": 8888, "type": "http"}, {"name": "broken"}],
    "startCommand": "bash -c 'sleep 1'",
    "entrypoint": "",
    "rootfsSize": "60",
    "minCudaVersion": "12.4",
}
INSTANCE = {
    "id": "a1b2c3d4e5f60718",
    "name": "gb-12345678-abcdefghijklmnop-a1",
    "clusterId": "us-ca-6",
    "clusterName": "US-CA-06 (California)",
    "status": "running",
    "productName": "RTX 4090 24GB",
    "gpuNum": "1",
    "billingMode": "",
    "spotStatus": "notified",
    "spotReclaimTime": "1785600000",
    "lastStartedAt": "1785590000",
    "statusError": {"state": "", "message": ""},
    "envs": [{"key": "TOKEN", "value": "hunter2"}],
    "sshPassword": "hunter2",
}


def answer(body: object) -> Answer:
    return Answer(status_code=200, began_at=AT, body=json.dumps(body).encode())


def one_product(billing_mode: BillingMode = ON_DEMAND, **changes: object):
    (product,), skipped = schemas.products({"data": [PRODUCT | changes]}, billing_mode)
    assert skipped == 0
    return product


def one_instance(**changes: object):
    page = instances_page(answer({"instances": [INSTANCE | changes], "total": 1}))
    return page.items[INSTANCE["id"]]


class TestProducts:
    def test_the_price_is_that_of_the_asked_billing_mode(self) -> None:
        assert one_product(ON_DEMAND).usd_per_gpu_hour == Decimal("0.35")
        assert one_product(SPOT).usd_per_gpu_hour == Decimal("0.175")
        assert one_product(SPOT).billing_mode is SPOT

    @pytest.mark.parametrize("price", ["0", 0, None, ""])
    def test_no_spot_price_is_no_spot(self, price: object) -> None:
        assert one_product(SPOT, spotPrice=price).usd_per_gpu_hour is None

    def test_a_billing_mode_that_is_not_listed_is_not_sold(self) -> None:
        assert one_product(SPOT, billingMethods=["onDemand"]).usd_per_gpu_hour is None
        assert one_product(SPOT, billingMethods=[]).usd_per_gpu_hour == Decimal("0.175")

    def test_all_fields_arrive(self) -> None:
        product = one_product()
        assert (product.id, product.name, product.stock) == ("4090.16c62g", "RTX 4090 24GB", "high")
        assert product.available
        assert product.regions == ("US-CA-06 (California)",)
        assert (product.cpu_per_gpu, product.memory_gb_per_gpu) == (16, 62)
        assert (product.min_disk_gb, product.max_disk_gb) == (10, 6144)

    @pytest.mark.parametrize(
        ("deploy", "stock", "available"),
        [(False, "high", False), ("false", "high", False), (None, "high", True), (None, "none", False)],
    )
    def test_it_is_available_when_novita_says_so_or_has_stock(self, deploy, stock, available) -> None:
        assert one_product(availableDeploy=deploy, inventoryState=stock).available is available

    def test_one_bad_row_costs_only_itself(self) -> None:
        rows = ["rubbish", {"name": "no id"}, PRODUCT, None, {"id": "", "name": "empty id"}]
        products, skipped = schemas.products({"data": rows}, ON_DEMAND)
        assert [product.id for product in products] == ["4090.16c62g"]
        assert skipped == 4

    def test_a_bare_row_is_a_product_without_a_price(self) -> None:
        (product,), _ = schemas.products({"data": [{"id": 26}]}, ON_DEMAND)
        assert (product.id, product.name, product.usd_per_gpu_hour, product.regions) == ("26", "26", None, ())

    @pytest.mark.parametrize("payload", [None, [], "x", {}, {"data": "x"}, {"products": []}])
    def test_a_missing_list_is_not_an_empty_one(self, payload: object) -> None:
        with pytest.raises(Malformed):
            schemas.products(payload, ON_DEMAND)

    def test_null_is_an_empty_list(self) -> None:
        assert schemas.products({"data": None}, ON_DEMAND) == ([], 0)


def test_clusters_keep_their_irregular_ids() -> None:
    rows = [
        {"id": "cn-hongkong-1", "name": "CN-HK-01", "availableGpuType": ["RTX 4090 24GB", 5]},
        {"id": 5},
        {"name": "no id"},
    ]
    assert schemas.clusters({"data": rows}) == (
        [
            Cluster(id="cn-hongkong-1", name="CN-HK-01", gpu_names=("RTX 4090 24GB", "5")),
            Cluster(id="5", name="5"),
        ],
        1,
    )


class TestTemplates:
    def test_all_fields_arrive(self) -> None:
        template = schemas.template({"template": TEMPLATE})
        assert (template.id, template.name, template.channel) == ("107672", "PyTorch 2.7", "official")
        assert (template.image, template.registry_auth_id) == ("pytorch/pytorch:latest", "42")
        assert template.ports == (
            Port(number=8888, protocol="http"),
            Port(number=6006, protocol="http"),
            Port(number=22, protocol="tcp"),
        )
        assert template.envs == (Env(key="MODE", value=" spaced "),)
        assert template.tools == (Tool(name="Jupyter", port=8888, protocol="http"),)
        assert (template.command, template.entrypoint) == ("bash -c 'sleep 1'", "")
        assert (template.disk_gb, template.min_cuda_version) == (60, "12.4")

    def test_it_may_come_without_its_wrapper_and_with_a_small_id(self) -> None:
        template = schemas.template({"id": "7", "image": "x", "imageAuth": "", "ports": None, "envs": "x"})
        assert (template.id, template.name, template.registry_auth_id) == ("7", "7", None)
        assert (template.ports, template.envs, template.tools, template.disk_gb) == ((), (), (), None)

    @pytest.mark.parametrize("payload", [{}, {"template": None}, {"template": {"name": "x"}}, []])
    def test_none_without_an_id(self, payload: object) -> None:
        with pytest.raises(Malformed):
            schemas.template(payload)

    def test_env_values_are_not_in_any_repr(self) -> None:
        assert "spaced" not in repr(schemas.template({"template": TEMPLATE}))

    def test_a_page_says_the_channel_that_was_asked_for_where_its_rows_do_not(self) -> None:
        page = templates_page(answer({"template": [{"Id": 1}, TEMPLATE, "bad"], "total": "3"}), "private")
        assert [template.channel for template in page.items.values()] == ["private", "official"]
        assert (page.rows, page.blank, page.total) == (3, 1, 3)

    def test_a_page_may_lack_the_total(self) -> None:
        assert templates_page(answer({"template": []}), "official").total is None


class TestInstances:
    def test_all_fields_arrive(self) -> None:
        seen = one_instance()
        assert (seen.novita_id, seen.name) == ("a1b2c3d4e5f60718", "gb-12345678-abcdefghijklmnop-a1")
        assert (seen.status, seen.phase) == ("running", Phase.RUNNING)
        assert (seen.product_name, seen.cluster_id) == ("RTX 4090 24GB", "us-ca-6")
        assert seen.region == "US-CA-06 (California)"
        assert seen.status_error is None
        assert (seen.spot, seen.reclaim_at) == (Spot.NOTIFIED, datetime(2026, 8, 1, 16, 0, tzinfo=UTC))
        assert seen.last_started_at == datetime(2026, 8, 1, 13, 13, 20, tzinfo=UTC)

    def test_empty_fields_are_none(self) -> None:
        seen = one_instance(productName="", clusterId="", clusterName="", spotStatus="", spotReclaimTime="0")
        assert (seen.product_name, seen.cluster_id, seen.region) == (None, None, None)
        assert (seen.spot, seen.reclaim_at) == (None, None)

    @pytest.mark.parametrize("status", [None, "", "newWord", {"status": "running"}, 7])
    def test_a_status_that_cannot_be_read_is_unknown(self, status: object) -> None:
        assert one_instance(status=status).phase is Phase.UNKNOWN

    def test_an_id_alone_is_enough_to_be_seen(self) -> None:
        page = instances_page(
            answer({"instances": [{"id": "x", "statusError": 3, "name": None}], "total": 1})
        )
        assert (page.items["x"].phase, page.items["x"].name) == (Phase.UNKNOWN, "")

    def test_a_status_error_is_one_short_line(self) -> None:
        seen = one_instance(statusError={"state": "failed", "message": "pull\nfailed:  " + "x" * 400})
        assert seen.status_error is not None
        assert seen.status_error.startswith("pull failed: xxx")
        assert len(seen.status_error) == 300

    def test_envs_and_passwords_of_a_list_are_not_even_read(self) -> None:
        assert "hunter2" not in repr(instances_page(answer({"instances": [INSTANCE], "total": 1})))

    def test_rows_with_an_empty_id_are_dropped_but_counted(self) -> None:
        page = instances_page(answer({"instances": [{"id": ""}, {"id": None}, INSTANCE], "total": "3"}))
        assert (list(page.items), page.rows, page.blank, page.total) == ([INSTANCE["id"]], 3, 2, 3)

    @pytest.mark.parametrize(
        "body",
        [
            None,
            [],
            {},
            {"instances": []},
            {"total": 0},
            {"instances": {}, "total": 0},
            {"instances": [], "total": None},
            {"instances": [], "total": "none"},
            {"instances": [], "total": -1},
            {"instances": ["rubbish"], "total": 1},
            {"instances": [{"name": "no id"}], "total": 1},
            {"instances": [{"id": ["x"]}], "total": 1},
        ],
    )
    def test_what_hides_an_instance_is_malformed(self, body: object) -> None:
        with pytest.raises(Malformed):
            instances_page(answer(body))

    def test_an_empty_account_is_empty(self) -> None:
        page = instances_page(answer({"instances": [], "total": 0}))
        assert (page.items, page.total, page.began_at) == ({}, 0, AT)
        assert instances_page(answer({"instances": None, "total": "0"})).items == {}


@pytest.mark.parametrize(
    ("body", "novita_id"), [({"id": "x1"}, "x1"), ({"Id": "x1"}, "x1"), ({"id": 5}, "5")]
)
def test_a_create_answers_with_an_id(body: object, novita_id: str) -> None:
    assert schemas.created_id(body) == novita_id


@pytest.mark.parametrize("body", [None, {}, {"id": ""}, {"id": None}, "x1", [{"id": "x1"}]])
def test_a_create_without_an_id_is_malformed(body: object) -> None:
    with pytest.raises(Malformed):
        schemas.created_id(body)
