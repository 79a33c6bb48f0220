"""The goods of the simulated cloud.

The pairs of region and cluster id are those that were seen at the real service, except US-WEST-01,
EU-WEST-01, EU-DE-01 and US-TX-02, whose ids are unknown: they are made up here, and irregular, so that nobody
derives an id from a name. Names come with a place in parentheses and without, as both forms were seen.
Prices are near the real ones of a day; nothing may depend on them.
"""

from __future__ import annotations

from bot.sandbox.novita.catalogue import Catalogue, Cluster, Product, RegistryAuth, Template, Tool

_HONG_KONG = "cn-hongkong-1"
_SINGAPORE = "as-sgp-2"
_INDIA = "as-in-1"
_CALIFORNIA = "us-ca-6"
_AUSTRALIA = "oc-au-1"
_US_WEST = "us-west-nas-3"
_EU_WEST = "eu-fr-2"
_GERMANY = "eu-frankfurt-4"
_TEXAS = "5"

CLUSTERS = (
    Cluster(id=_HONG_KONG, name="CN-HK-01 (Hong Kong)"),
    Cluster(id=_SINGAPORE, name="AS-SGP-02"),
    Cluster(id=_INDIA, name="AS-IN-01 (Mumbai)", network_storage=False),
    Cluster(id=_CALIFORNIA, name="US-CA-06 (California)"),
    Cluster(id=_AUSTRALIA, name="OC-AU-01 (Sydney)"),
    Cluster(id=_US_WEST, name="US-WEST-01", instance_network=False),
    Cluster(id=_EU_WEST, name="EU-WEST-01 (Paris)"),
    Cluster(id=_GERMANY, name="EU-DE-01"),
    Cluster(id=_TEXAS, name="US-TX-02", network_storage=False, instance_network=False),
)

PRODUCTS = (
    Product(
        id="4090.16c62g",
        name="RTX 4090 24GB",
        cpu_per_gpu=16,
        memory_gb_per_gpu=62,
        price=35_000,
        spot_price=17_500,
        monthly_price=21_000_000,
        cluster_ids=(_CALIFORNIA, _HONG_KONG, _SINGAPORE),
    ),
    Product(
        id="4090.16c62g.os",
        name="RTX 4090 24GB",
        cpu_per_gpu=16,
        memory_gb_per_gpu=62,
        price=33_000,
        spot_price=18_000,
        cluster_ids=(_INDIA, _AUSTRALIA),
        max_rootfs_gb=1024,
    ),
    Product(
        id="4090.16c96g.v2",
        name="RTX 4090 24GB",
        cpu_per_gpu=16,
        memory_gb_per_gpu=96,
        price=39_000,
        spot_price=19_500,
        monthly_price=23_400_000,
        cluster_ids=(_HONG_KONG, _EU_WEST, _GERMANY),
    ),
    Product(
        id="3090.12c32g",
        name="RTX 3090 24GB",
        cpu_per_gpu=12,
        memory_gb_per_gpu=32,
        price=21_000,
        spot_price=10_500,
        cluster_ids=(_TEXAS, _SINGAPORE),
    ),
    Product(
        id="5090.20c90g",
        name="RTX 5090 32GB",
        cpu_per_gpu=20,
        memory_gb_per_gpu=90,
        price=63_000,
        spot_price=31_500,
        monthly_price=38_000_000,
        cluster_ids=(_HONG_KONG, _US_WEST),
        gpus_per_cluster=16,
    ),
    Product(
        id="6000ada.24c120g",
        name="RTX 6000 Ada 48GB",
        cpu_per_gpu=24,
        memory_gb_per_gpu=120,
        price=70_000,
        spot_price=35_000,
        cluster_ids=(_EU_WEST,),
        gpus_per_cluster=0,
    ),
    Product(
        id="l40s.16c128g",
        name="L40S 48GB",
        cpu_per_gpu=16,
        memory_gb_per_gpu=128,
        price=55_000,
        spot_price=27_500,
        cluster_ids=(_CALIFORNIA, _GERMANY),
    ),
    Product(
        id="a100.sxm.26c200g",
        name="A100 SXM 80GB",
        cpu_per_gpu=26,
        memory_gb_per_gpu=200,
        price=160_000,
        spot_price=80_000,
        monthly_price=98_000_000,
        cluster_ids=(_US_WEST, _EU_WEST, _SINGAPORE),
    ),
    Product(
        id="h100.sxm.24c224g",
        name="H100 SXM 80GB",
        cpu_per_gpu=24,
        memory_gb_per_gpu=224,
        price=256_000,
        spot_price=128_000,
        monthly_price=155_000_000,
        cluster_ids=(_CALIFORNIA, _EU_WEST),
    ),
    Product(
        id="h200.sxm.24c240g",
        name="H200 SXM 141GB",
        cpu_per_gpu=24,
        memory_gb_per_gpu=240,
        price=350_000,
        cluster_ids=(_US_WEST,),
        gpus_per_cluster=4,
    ),
)

TEMPLATES = (
    Template(
        id="107672",
        name="pytorch-jupyter",
        channel="official",
        image="registry.novita.example/official/pytorch:2.7.1-cuda12.8-jupyter",
        start_command="bash /start.sh",
        http_ports=(8888,),
        tcp_ports=(22,),
        envs=(("JUPYTER_ENABLE_LAB", "yes"), ("HF_HOME", "/workspace/.cache/huggingface")),
        tools=(Tool(name="Jupyter", describe="Start JupyterLab", port=8888),),
        min_cuda_version="12.8",
        readme="PyTorch with JupyterLab on port 8888 and SSH on port 22.",
        created_at=1_757_000_000,
    ),
    Template(
        id="103921",
        name="ubuntu-22.04-cuda",
        channel="official",
        image="registry.novita.example/official/cuda:12.4.1-devel-ubuntu22.04",
        tcp_ports=(22,),
        min_cuda_version="12.4",
    ),
    Template(
        id="104511",
        name="comfyui",
        channel="official",
        image="registry.novita.example/official/comfyui:0.3.60",
        http_ports=(8188, 8888),
        envs=(("COMFY_PORT", "8188"),),
        tools=(Tool(name="Jupyter", describe="Start JupyterLab", port=8888),),
        rootfs_gb=120,
        min_cuda_version="12.4",
    ),
    Template(
        id="106208",
        name="vllm-openai",
        channel="official",
        image="registry.novita.example/official/vllm-openai:v0.11.0",
        start_command="--model Qwen/Qwen3-8B --port 8000",
        http_ports=(8000,),
        envs=(("HF_TOKEN", ""),),
        rootfs_gb=100,
        min_cuda_version="12.8",
    ),
    Template(
        id="98017",
        name="stable-diffusion-webui",
        channel="community",
        image="docker.io/example/sd-webui:1.10",
        http_ports=(7860,),
        rootfs_gb=80,
    ),
    Template(
        id="108333",
        name="acme-trainer",
        channel="private",
        image="ghcr.io/acme/trainer:2026.10",
        image_auth_id="auth-7f3c",
        start_command="python -m trainer.serve",
        http_ports=(8080,),
        tcp_ports=(22,),
        envs=(("TRAINER_TOKEN", "sandbox-not-a-secret"),),
        rootfs_gb=100,
        min_cuda_version="12.4",
    ),
)

REGISTRY_AUTHS = (
    RegistryAuth(id="auth-7f3c", name="ghcr-acme", username="acme-bot", password="sandbox-registry-password"),  # noqa: S106 - opens nothing
    RegistryAuth(id="auth-91be", name="docker-hub", username="acme", password="sandbox-hub-password"),  # noqa: S106 - opens nothing
)

STANDARD = Catalogue(products=PRODUCTS, clusters=CLUSTERS, templates=TEMPLATES, registry_auths=REGISTRY_AUTHS)
