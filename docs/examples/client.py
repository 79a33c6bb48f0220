"""Rents a GPU over REST and waits until it can be used. Python 3.11 or newer, standard library only.

python client.py my-train
NOVITA_API_URL=https://gpu.example.com API_KEY=... python client.py my-train --pause 10
"""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


class GpuClient:
    def __init__(self, base_url="http://localhost:3000", api_key=None):
        self.base_url = base_url.rstrip("/")
        self.headers = {"Content-Type": "application/json"}
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"

    def create(self, name, product, template, **more):
        """`more`: gpuNum, rootfsSize (GB), region, billingMode, webhookUrl."""
        body = {"name": name, "productName": product, "templateId": template, **more}
        return self._call("POST", "/api/instances", body)["instanceId"]

    def get(self, instance_id):
        return self._call("GET", f"/api/instances/{instance_id}")

    def list_instances(self, **query):
        return self._call("GET", f"/api/instances?{urllib.parse.urlencode(query)}")

    def wait_until_running(self, instance_id, pause=30, timeout=900):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            instance = self.get(instance_id)
            if instance["status"] == "running":
                return instance
            if instance["status"] in ("failed", "stopped", "deleted"):
                raise RuntimeError(f"{instance['name']} is {instance['status']}: {instance.get('error')}")
            time.sleep(pause)
        raise TimeoutError(f"{instance_id} is not running after {timeout} s")

    def health(self):
        return self._call("GET", "/health")

    def metrics(self):
        return self._call("GET", "/api/metrics")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, self.headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:  # raises HTTPError from 400 on
            return json.load(response)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--product", default="RTX 4090 24GB")
    parser.add_argument("--template", default="pytorch-jupyter")
    parser.add_argument("--webhook-url")
    parser.add_argument("--pause", type=float, default=30, help="seconds between two looks")
    asked = parser.parse_args()

    client = GpuClient(os.environ.get("NOVITA_API_URL", "http://localhost:3000"), os.environ.get("API_KEY"))
    print("service:", client.health()["status"])
    more = {"gpuNum": 1, "rootfsSize": 60, "webhookUrl": asked.webhook_url}
    instance_id = client.create(asked.name, asked.product, asked.template, **more)
    print("created:", instance_id)
    instance = client.wait_until_running(instance_id, pause=asked.pause)
    print("ssh:", instance["connectionDetails"]["ssh"])
    print("jupyter:", instance["connectionDetails"]["jupyter"])
    print("running:", client.list_instances(status="running", limit=50)["total"])
    print("requests:", client.metrics()["requests"]["total"])


if __name__ == "__main__":
    try:
        main()
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code}: {error.read().decode()}")
    except (OSError, RuntimeError) as error:
        sys.exit(str(error))
