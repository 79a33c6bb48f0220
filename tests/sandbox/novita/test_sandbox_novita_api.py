"""The v1 protocol over real HTTP."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from bot.sandbox.novita.routes import BASE
from bot.sandbox.novita.server import NovitaServer

RUNS = 25
JUPYTER = {
    "imageUrl": "registry.novita.example/official/pytorch:2.7.1-cuda12.8-jupyter",
    "ports": "8888/http,22/tcp",
    "tools": [{"name": "Jupyter", "port": "8888", "type": "http"}],
}


async def _data(client, path, **params):
    response = await client.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


async def _create(client, body, **more):
    response = await client.post("/gpu/instance/create", json={**body, **more})
    assert response.status_code == 200, response.text
    return response.json()["id"]


async def _post(client, verb, instance_id):
    return await client.post(f"/gpu/instance/{verb}", json={"instanceId": instance_id})


async def _get(client, instance_id):
    return await _data(client, "/gpu/instance", instanceId=instance_id)


async def test_clusters_pair_names_with_irregular_ids(client):
    clusters = (await _data(client, "/clusters"))["data"]
    ids = {each["name"].split(" ")[0]: each["id"] for each in clusters}
    assert ids["CN-HK-01"] == "cn-hongkong-1"
    assert ids["AS-SGP-02"] == "as-sgp-2"
    assert ids["AS-IN-01"] == "as-in-1"
    assert ids["US-CA-06"] == "us-ca-6"
    assert ids["OC-AU-01"] == "oc-au-1"
    assert {"US-WEST-01", "EU-WEST-01"} < ids.keys()
    california = next(each for each in clusters if each["id"] == "us-ca-6")
    assert california["name"] == "US-CA-06 (California)"
    assert "RTX 4090 24GB" in california["availableGpuType"]
    assert california["supportNetworkStorage"] is True


async def test_products_carry_prices_as_strings_and_regions_as_names(client):
    products = (await _data(client, "/products", productName="rtx 4090"))["data"]
    assert [each["id"] for each in products] == ["4090.16c62g", "4090.16c62g.os", "4090.16c96g.v2"]
    first = products[0]
    assert (first["price"], first["spotPrice"]) == ("35000", "17500")
    assert first["monthlyPrice"] == [{"price": "21000000", "month": 1}]
    assert first["regions"] == ["US-CA-06 (California)", "CN-HK-01 (Hong Kong)", "AS-SGP-02"]
    assert first["billingMethods"] == ["onDemand", "monthly", "spot"]
    assert first["availableDeploy"] is True
    assert first["inventoryState"] == "high"


async def test_stock_is_answered_for_the_billing_method_that_was_asked_for(client, cloud):
    cloud.set_capacity("4090.16c62g", mode="spot", gpus=0)

    async def available(**params):
        data = await _data(client, "/products", productName="4090", **params)
        product = data["data"][0]
        return product["availableDeploy"], product["inventoryState"]

    assert await available() == (True, "high")
    assert await available(billingMethod="spot") == (False, "none")
    cloud.set_capacity("4090.16c62g", "us-ca-6", "spot", gpus=2)
    assert await available(billingMethod="spot") == (True, "low")
    assert await available(billingMethod="spot", gpuNum=4) == (False, "low")
    assert await available(billingMethod="spot", clusterId="as-sgp-2") == (False, "none")
    cloud.set_capacity("4090.16c62g", "us-ca-6", "spot", gpus=20)
    assert await available(billingMethod="spot") == (True, "normal")


async def test_what_is_not_sold_as_spot_has_no_spot_price_and_no_spot_stock(client):
    (h200,) = (await _data(client, "/products", productName="h200", billingMethod="spot"))["data"]
    assert h200["spotPrice"] == "0"
    assert h200["monthlyPrice"] == []
    assert h200["billingMethods"] == ["onDemand"]
    assert h200["availableDeploy"] is False


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({"clusterId": "oc-au-1"}, ["4090.16c62g.os"]),
        ({"minMemoryPerGpu": 200}, ["a100.sxm.26c200g", "h100.sxm.24c224g", "h200.sxm.24c240g"]),
        ({"minCpuPerGpu": 26}, ["a100.sxm.26c200g"]),
        ({"productName": "4090", "minRootFSSize": 2000}, ["4090.16c62g", "4090.16c96g.v2"]),
        ({"productName": "test"}, []),
        ({"product_name": "4090", "productName": "3090"}, ["3090.12c32g"]),
    ],
)
async def test_products_are_filtered_as_documented_and_wrong_names_are_ignored(client, params, ids):
    assert [each["id"] for each in (await _data(client, "/products", **params))["data"]] == ids


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/products", {"billingMethod": "hourly"}),
        ("/products", {"gpuNum": 9}),
        ("/gpu/instances", {"pageSize": -1}),
        ("/gpu/instances", {"pageNum": "first"}),
        ("/gpu/instances", {"status": "failed"}),
        ("/gpu/instance", {}),
        ("/templates", {"channel": "official"}),
        ("/templates", {"isMyCommunity": "false"}),
        ("/templates", {"channel": "private", "isMyCommunity": "false"}),
    ],
)
async def test_a_bad_query_is_a_flat_validation_error(client, path, params):
    response = await client.get(path, params=params)
    assert response.status_code == 400
    error = response.json()
    assert error.keys() == {"code", "reason", "message", "metadata"}
    assert (error["code"], error["reason"]) == (400, "VALIDATOR_PARAM")


async def test_templates_are_listed_by_channel_under_the_key_template(client):
    data = await _data(client, "/templates", channel="official", isMyCommunity="false", pageSize=2, pageNum=1)
    assert [each["Id"] for each in data["template"]] == ["107672", "103921"]
    assert (data["total"], data["pageSize"], data["pageNum"]) == (4, 2, 1)
    found = await _data(client, "/templates", channel="official", isMyCommunity="false", name="COMFY")
    assert [each["name"] for each in found["template"]] == ["comfyui"]


async def test_the_jupyter_template_has_everything_that_a_create_needs(client):
    template = (await _data(client, "/template", templateId=107672))["template"]
    assert template["Id"] == "107672"
    assert template["name"] == "pytorch-jupyter"
    assert template["ports"] == [{"type": "http", "ports": [8888]}, {"type": "tcp", "ports": [22]}]
    assert {"key": "JUPYTER_ENABLE_LAB", "value": "yes"} in template["envs"]
    assert template["startCommand"]
    assert template["tools"][0]["port"] == 8888


async def test_a_private_template_names_an_auth_that_exists(client):
    data = await _data(client, "/templates", channel="private", isMyCommunity="true")
    (private,) = data["template"]
    auths = (await _data(client, "/repository/auths"))["data"]
    assert private["imageAuth"] in {each["id"] for each in auths}
    assert auths[0].keys() == {"id", "name", "username", "password"}


async def test_an_unknown_template_is_a_400(client):
    response = await client.get("/template", params={"templateId": "1"})
    assert (response.status_code, response.json()["reason"]) == (400, "TEMPLATE_NOT_FOUND")


async def test_a_create_answers_its_id_alone(client, body):
    response = await client.post("/gpu/instance/create", json=body)
    assert response.json().keys() == {"id"}
    assert len(response.json()["id"]) == 16


async def test_a_fresh_instance_reads_as_live_answers_do(client, clock, body):
    instance_id = await _create(client, body, name="ml-1", gpuNum=2, clusterId="us-ca-6")
    got = await _get(client, instance_id)
    assert got["status"] == "pending"
    assert (got["gpuNum"], got["cpuNum"], got["memory"], got["rootfsSize"]) == ("2", "32", "124", 60)
    assert (got["clusterId"], got["clusterName"]) == ("us-ca-6", "US-CA-06 (California)")
    assert (got["productId"], got["productName"]) == ("4090.16c62g", "RTX 4090 24GB")
    assert got["createdAt"] == str(int(clock().timestamp()))
    assert (got["lastStartedAt"], got["lastStoppedAt"], got["endTime"]) == ("0", "0", "-1")
    assert (got["spotStatus"], got["spotReclaimTime"]) == ("", "0")
    assert got["statusError"] == {"state": "", "message": ""}
    assert got["instancePrice"] == "35000"


async def test_connection_details_come_late_and_in_get_only(client, clock, body):
    instance_id = await _create(client, body, **JUPYTER)
    clock.go(RUNS)
    early = await _get(client, instance_id)
    assert early["status"] == "running"
    assert early["connectComponentSSH"] == {"sshCommand": "", "password": "", "isRunning": False}
    assert [each["endpoint"] for each in early["portMappings"]] == ["", ""]
    clock.go(2)
    got = await _get(client, instance_id)
    http, tcp = got["portMappings"]
    assert http["endpoint"].endswith(f"/endpoints/{instance_id}/8888")
    assert tcp["endpoint"].startswith(f"proxy.{got['clusterId']}.gpu-instance.novita.ai:")
    ssh = got["connectComponentSSH"]
    assert ssh["sshCommand"].startswith("ssh -p 3")
    assert ssh["sshCommand"].endswith(f" root@proxy.{got['clusterId']}.gpu-instance.novita.ai")
    assert ssh["password"] == got["sshPassword"]
    assert got["connectComponentJupyter"]["address"].startswith(http["endpoint"] + "/lab?token=")
    (listed,) = (await _data(client, "/gpu/instances"))["instances"]
    assert listed["portMappings"] == [{"port": 8888, "type": "http"}, {"port": 22, "type": "tcp"}]
    assert not [name for name in listed if name.startswith("connect") or name == "sshPassword"]


async def test_an_image_without_jupyter_has_no_jupyter(client, clock, body):
    instance_id = await _create(client, body)
    clock.go(60)
    assert (await _get(client, instance_id))["connectComponentJupyter"]["isRunning"] is False


async def test_endpoints_answer_502_until_the_app_inside_is_up(client, clock, cloud, body):
    instance_id = await _create(client, body, **JUPYTER)
    clock.go(RUNS + 2)
    endpoint = (await _get(client, instance_id))["portMappings"][0]["endpoint"]
    async with httpx.AsyncClient(trust_env=False) as anybody:
        seen = [(await anybody.get(endpoint)).status_code]
        clock.go(6)
        seen.append((await anybody.get(endpoint)).status_code)
        seen.append((await anybody.get(endpoint + "/lab/tree")).status_code)
        cloud.set_app_answer(instance_id, 401)
        seen.append((await anybody.get(endpoint)).status_code)
        seen.append((await anybody.get(endpoint.replace("8888", "22"))).status_code)
        seen.append((await anybody.get(endpoint.replace("8888", "x"))).status_code)
        cloud.stop(instance_id)
        seen.append((await anybody.get(endpoint)).status_code)
        cloud.delete(instance_id)
        clock.go(5)
        seen.append((await anybody.get(endpoint)).status_code)
    assert seen == [502, 200, 200, 401, 404, 404, 502, 404]


async def test_spot_fields_tell_of_a_reclaim(client, clock, cloud, body):
    instance_id = await _create(client, body, billingMode="spot")
    clock.go(RUNS)
    assert (await _get(client, instance_id))["spotStatus"] == "running"
    at = cloud.notify_reclaim(instance_id, in_=timedelta(minutes=1))
    got = await _get(client, instance_id)
    assert (got["spotStatus"], got["spotReclaimTime"]) == ("notified", str(int(at.timestamp())))
    assert got["instancePrice"] == "17500"
    clock.go(70)
    (listed,) = (await _data(client, "/gpu/instances"))["instances"]
    assert (listed["status"], listed["spotStatus"]) == ("exited", "terminated")


async def test_a_failure_shows_in_status_error(client, cloud, body):
    instance_id = await _create(client, body)
    cloud.fail(instance_id, "pull failed", state="pullImageFailed")
    assert (await _get(client, instance_id))["statusError"] == {
        "state": "pullImageFailed",
        "message": "pull failed",
    }


async def test_actions_answer_id_and_state_and_delete_nothing(client, clock, body):
    instance_id = await _create(client, body)
    clock.go(RUNS)
    answers = [(await _post(client, "restart", instance_id)).json()]
    clock.go(10)
    answers.append((await _post(client, "stop", instance_id)).json())
    clock.go(5)
    answers.append((await _post(client, "start", instance_id)).json())
    states = ["toRestart", "toStop", "toStart"]
    assert answers == [{"instanceId": instance_id, "state": state} for state in states]
    assert (await _post(client, "delete", instance_id)).json() == {}


@pytest.mark.parametrize(
    "body",
    [{}, {"id": "x"}, {"instanceId": ""}, {"instanceId": 1}, {"instanceId": "x", "force": True}, [], "x"],
)
async def test_an_action_wants_the_id_in_its_body_and_nothing_else(client, body):
    response = await client.post("/gpu/instance/stop", json=body, params={"instanceId": "x"})
    assert (response.status_code, response.json()["reason"]) == (400, "VALIDATOR_PARAM")


async def test_a_removed_one_lingers_without_a_product_name(client, clock, body):
    instance_id = await _create(client, body)
    await _post(client, "delete", instance_id)
    clock.go(5)
    (listed,) = (await _data(client, "/gpu/instances"))["instances"]
    assert (listed["status"], listed["productName"]) == ("removed", "")
    clock.go(30)
    assert await _data(client, "/gpu/instances") == {"instances": [], "total": 0}


@pytest.mark.parametrize("status_code", [400, 404])
async def test_not_found_is_400_or_404_with_the_same_reason(cloud, status_code):
    async with NovitaServer(cloud, not_found=status_code) as server:
        headers = {"Authorization": f"Bearer {server.api_key}"}
        base_url = server.base_url + BASE
        async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as client:
            got = await client.get("/gpu/instance", params={"instanceId": "f" * 16})
            stopped = await _post(client, "stop", "f" * 16)
    for response in (got, stopped):
        assert response.status_code == response.json()["code"] == status_code
        assert response.json()["reason"] == "RESOURCE_NOT_FOUND"


async def test_a_bad_key_is_401_and_nothing_is_done(client, cloud, body):
    for authorization in ("Bearer wrong", "", "Basic x"):
        response = await client.post(
            "/gpu/instance/create", json=body, headers={"Authorization": authorization}
        )
        assert (response.status_code, response.json()["reason"]) == (401, "UNAUTHORIZED")
    assert cloud.instances() == []


async def test_an_unknown_path_is_plain_text(client, server):
    for response in (await client.get("/gpu/instance/list"), await client.get("/gpu/instance/create")):
        assert (response.status_code, response.text) == (404, "404 page not found")
    assert server.journal.count("unknown") == 2


async def test_the_list_is_filtered_fuzzily_and_by_one_status(client, clock, body):
    await _create(client, body, name="Trainer-1")
    clock.go(RUNS)
    await _create(client, body, name="trainer-2", productId="3090.12c32g")

    async def names(**params):
        data = await _data(client, "/gpu/instances", **params)
        assert data["total"] == len(data["instances"])
        return [each["name"] for each in data["instances"]]

    assert await names() == ["trainer-2", "Trainer-1"]
    assert await names(name="RAINER") == ["trainer-2", "Trainer-1"]
    assert await names(productName="4090") == ["Trainer-1"]
    assert await names(status="running") == ["Trainer-1"]


@pytest.mark.parametrize(
    ("first_page", "pages"),
    [
        (0, [[4, 3], [2, 1], [0], []]),
        (1, [[], [4, 3], [2, 1], [0]]),
        ("both", [[4, 3], [4, 3], [2, 1], [0]]),
    ],
)
async def test_pages_begin_at_0_or_1_or_at_both(cloud, first_page, pages):
    for number in range(5):
        cloud.create_in_console(str(number))
    async with NovitaServer(cloud, first_page=first_page) as server:
        headers = {"Authorization": f"Bearer {server.api_key}"}
        base_url = server.base_url + BASE
        async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as client:
            answers = [await _data(client, "/gpu/instances", pageSize=2, pageNum=n) for n in range(4)]
            unnumbered = await _data(client, "/gpu/instances", pageSize=2)
    assert [[int(each["name"]) for each in answer["instances"]] for answer in answers] == pages
    assert {answer["total"] for answer in answers} == {5}
    assert [each["name"] for each in unnumbered["instances"]] == ["4", "3"]


async def test_the_server_caps_the_page_and_has_a_size_of_its_own(cloud):
    for number in range(30):
        cloud.create_in_console(str(number))
    async with NovitaServer(cloud, page_cap=25) as server:
        headers = {"Authorization": f"Bearer {server.api_key}"}
        base_url = server.base_url + BASE
        async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as client:
            capped = await _data(client, "/gpu/instances", pageSize=1000)
            unsized = await _data(client, "/gpu/instances")
    assert (len(capped["instances"]), len(unsized["instances"]), capped["total"]) == (25, 20, 30)
