"""What the cloud shows, in the shapes of the v1 API: most numbers are strings, as in live answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.sandbox.novita.catalogue import BillingMode, Cluster, Product, RegistryAuth, Template
from bot.sandbox.novita.instances import Failure, Instance

Json = dict[str, Any]


def cluster_view(cluster: Cluster, gpu_names: list[str]) -> Json:
    return {
        "id": cluster.id,
        "name": cluster.name,
        "availableGpuType": gpu_names,
        "supportNetworkStorage": cluster.network_storage,
        "supportInstanceNetwork": cluster.instance_network,
    }


def product_view(product: Product, regions: list[str], free: int, gpu_num: int) -> Json:
    """`free` is meant for the billing mode that was asked for, as the real one answers."""
    months = [] if product.monthly_price is None else [{"price": str(product.monthly_price), "month": 1}]
    return {
        "id": product.id,
        "name": product.name,
        "cpuPerGpu": product.cpu_per_gpu,
        "memoryPerGpu": product.memory_gb_per_gpu,
        "diskPerGpu": product.disk_gb_per_gpu,
        "availableDeploy": free >= max(gpu_num, 1),
        "inventoryState": _inventory(free),
        "minRootFS": 10,
        "maxRootFS": product.max_rootfs_gb,
        "minLocalStorage": 0,
        "maxLocalStorage": product.disk_gb_per_gpu,
        "regions": regions,
        "price": str(product.price),
        "spotPrice": str(product.spot_price or 0),
        "monthlyPrice": months,
        "billingMethods": list[BillingMode](product.billing_modes),
    }


def _inventory(free: int) -> str:
    for least, word in ((65, "high"), (9, "normal"), (1, "low")):
        if free >= least:
            return word
    return "none"


def template_view(template: Template) -> Json:
    ports = {"http": template.http_ports, "tcp": template.tcp_ports}
    return {
        "Id": template.id,
        "name": template.name,
        "readme": template.readme,
        "type": "instance",
        "channel": template.channel,
        "image": template.image,
        "imageAuth": template.image_auth_id,
        "startCommand": template.start_command,
        "entrypoint": template.entrypoint,
        "rootfsSize": template.rootfs_gb,
        "ports": [{"type": kind, "ports": list(numbers)} for kind, numbers in ports.items() if numbers],
        "envs": [{"key": key, "value": value} for key, value in template.envs],
        "tools": [
            {"name": tool.name, "describe": tool.describe, "port": tool.port, "type": tool.type}
            for tool in template.tools
        ],
        "minCudaVersion": template.min_cuda_version,
        "recommendCards": [],
        "createdAt": str(template.created_at),
    }


def auth_view(auth: RegistryAuth) -> Json:
    """With its password in clear, as documented."""
    return {"id": auth.id, "name": auth.name, "username": auth.username, "password": auth.password}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceViews:
    endpoint_base: str
    """HTTP endpoints are below it: `<base>/<instance id>/<port>`."""
    proxy: str = "proxy.{cluster_id}.gpu-instance.novita.ai"

    def listed(self, instance: Instance, now: datetime) -> Json:
        """Without anything that connects, and without a product name once it is removed."""
        order = instance.order
        ports = [{"port": port, "type": kind} for port, kind in order.exposed]
        return {
            **_state(instance, now),
            **_machine(instance),
            "productName": "" if instance.is_removed_at(now) else instance.product.name,
            "imageUrl": order.image_url,
            "imageAuthId": order.image_auth_id,
            "command": order.command,
            "entrypoint": order.entrypoint,
            "envs": [{"key": env.key, "value": env.value} for env in order.envs],
            "portMappings": ports,
            "volumeMounts": [
                {"type": "network", "size": "", "id": storage.id, "mountPath": storage.mount_point}
                for storage in order.network_storages
            ],
        }

    def got(self, instance: Instance, now: datetime) -> Json:
        connected = instance.leg.is_connected_at(now)
        return {
            **self.listed(instance, now),
            "portMappings": self._port_mappings(instance, connected=connected),
            "connectComponentSSH": self._ssh(instance, connected=connected),
            "connectComponentJupyter": self._jupyter(instance, connected=connected),
            "connectComponentWebTerminal": _nothing_open("address", "username", "password"),
            "connectComponentLog": _nothing_open("systemLogAddress", "instanceLogAddress"),
            "sshPassword": instance.access.password if connected else "",
            "network": {"id": instance.order.network_id, "ip": ""},
            "node": {"maxRootfsSize": instance.product.max_rootfs_gb},
            "jobs": [],
            "freeStorageSize": 60,
            "keepDataDay": 7,
            "instancePrice": str(instance.unit_price),
        }

    def _port_mappings(self, instance: Instance, *, connected: bool) -> list[Json]:
        return [
            {"port": port, "endpoint": self._endpoint(instance, place) if connected else "", "type": kind}
            for place, (port, kind) in enumerate(instance.order.exposed)
        ]

    def _endpoint(self, instance: Instance, place: int) -> str:
        port, kind = instance.order.exposed[place]
        if kind == "http":
            return f"{self.endpoint_base}/{instance.id}/{port}"
        return f"{self._proxy(instance)}:{instance.access.ssh_port + 1 + place}"

    def _proxy(self, instance: Instance) -> str:
        return self.proxy.format(cluster_id=instance.cluster.id)

    def _ssh(self, instance: Instance, *, connected: bool) -> Json:
        if not connected:
            return _nothing_open("sshCommand", "password")
        return {
            "sshCommand": f"ssh -p {instance.access.ssh_port} root@{self._proxy(instance)}",
            "password": instance.access.password,
            "isRunning": True,
        }

    def _jupyter(self, instance: Instance, *, connected: bool) -> Json:
        ports = [int(tool.port) for tool in instance.order.tools if tool.name.lower() == "jupyter"]
        if not (connected and ports):
            return {"port": 0, **_nothing_open("address")}
        address = f"{self.endpoint_base}/{instance.id}/{ports[0]}/lab?token={instance.access.token}"
        return {"port": ports[0], "address": address, "isRunning": True}


def _state(instance: Instance, now: datetime) -> Json:
    failure = instance.failure or Failure(state="", message="")
    return {
        "id": instance.id,
        "name": instance.order.name,
        "status": instance.status_at(now),
        "statusError": {"state": failure.state, "message": failure.message},
        "billingMode": instance.order.mode,
        "endTime": _epoch(instance.ends_at, absent="-1"),
        "spotStatus": instance.spot_status_at(now),
        "spotReclaimTime": _epoch(instance.reclaim_at),
        "createdAt": _epoch(instance.created_at),
        "lastStartedAt": _epoch(instance.started_at(now)),
        "lastStoppedAt": _epoch(instance.stopped_at(now)),
    }


def _machine(instance: Instance) -> Json:
    gpus, product = instance.order.gpu_num, instance.product
    return {
        "clusterId": instance.cluster.id,
        "clusterName": instance.cluster.name,
        "productId": product.id,
        "gpuNum": str(gpus),
        "cpuNum": str(product.cpu_per_gpu * gpus),
        "memory": str(product.memory_gb_per_gpu * gpus),
        "rootfsSize": instance.order.rootfs_gb,
        "kind": instance.order.kind,
    }


def _nothing_open(*names: str) -> Json:
    return {**dict.fromkeys(names, ""), "isRunning": False}


def _epoch(moment: datetime | None, *, absent: str = "0") -> str:
    return absent if moment is None else str(int(moment.timestamp()))
