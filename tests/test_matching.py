"""What people type against what Novita calls things."""

import pytest

from bot.errors import ProductNotFound, RegionNotFound, TemplateNotFound
from bot.matching import match_gpu, match_region, match_template
from storage.cloud import Cluster, Template

GPUS = ("RTX 4090 24GB", "RTX 3090 24GB", "H100 SXM 80GB", "A100 SXM 80GB", "RTX A1000 8GB", "L40S 48GB")
CLUSTERS = (
    Cluster(id="cn-hongkong-1", name="CN-HK-01 (Hong Kong)"),
    Cluster(id="us-ca-6", name="US-CA-06 (California)"),
    Cluster(id="as-sgp-2", name="AS-SGP-02"),
)


def template(template_id: str, name: str, channel: str = "official") -> Template:
    return Template(id=template_id, name=name, channel=channel, image="x")


TEMPLATES = (
    template("7", "pytorch-jupyter", "private"),
    template("107672", "pytorch-jupyter"),
    template("9", "ComfyUI"),
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("4090", "RTX 4090 24GB"),
        ("rtx4090", "RTX 4090 24GB"),
        ("RTX 4090 24GB", "RTX 4090 24GB"),
        ("rtx-4090_24gb", "RTX 4090 24GB"),
        ("h100", "H100 SXM 80GB"),
        ("a100", "A100 SXM 80GB"),
        ("l40", "L40S 48GB"),
        ("A1000", "RTX A1000 8GB"),
    ],
)
def test_a_gpu_is_known_by_its_name_or_a_part_of_it(typed, meant):
    assert match_gpu(typed, GPUS) == meant


def test_several_products_of_one_name_are_one_gpu():
    assert match_gpu("4090", (*GPUS, "RTX 4090 24GB")) == "RTX 4090 24GB"


@pytest.mark.parametrize("typed", ["24gb", "rtx", "80"])
def test_an_ambiguous_part_names_what_it_could_be(typed):
    with pytest.raises(ProductNotFound, match="could be") as missed:
        match_gpu(typed, GPUS)
    assert len(missed.value.nearest) > 1


def test_a_miss_names_the_nearest():
    with pytest.raises(ProductNotFound, match="Did you mean") as missed:
        match_gpu("4900", GPUS)
    assert missed.value.nearest[0] == "RTX 4090 24GB"


@pytest.mark.parametrize("typed", ["", "???", "zzzzzzzz"])
def test_nonsense_names_nothing(typed):
    with pytest.raises(ProductNotFound):
        match_gpu(typed, GPUS[:1] if typed else ())


@pytest.mark.parametrize(
    ("typed", "cluster_id"),
    [
        ("CN-HK-01", "cn-hongkong-1"),
        ("cn-hk-01", "cn-hongkong-1"),
        ("cn-hongkong-1", "cn-hongkong-1"),
        ("CN-HK-01 (Hong Kong)", "cn-hongkong-1"),
        ("US-CA-06 (California)", "us-ca-6"),
        ("us-ca-06", "us-ca-6"),
        ("as-sgp-02", "as-sgp-2"),
    ],
)
def test_names_ids_and_display_names_of_a_region_are_one(typed, cluster_id):
    assert match_region(typed, CLUSTERS).id == cluster_id


def test_an_unknown_region_names_some_that_exist():
    with pytest.raises(RegionNotFound, match="CN-HK-01") as missed:
        match_region("CN-HK-02", CLUSTERS)
    assert "CN-HK-01 (Hong Kong)" in missed.value.nearest
    with pytest.raises(RegionNotFound) as far_off:
        match_region("@@@@", CLUSTERS)
    assert len(far_off.value.nearest) == 3
    with pytest.raises(RegionNotFound, match="no region x"):
        match_region("x", ())


@pytest.mark.parametrize(
    ("typed", "template_id"),
    [("107672", "107672"), ("pytorch-jupyter", "107672"), ("PyTorch Jupyter", "107672"), ("comfyui", "9")],
)
def test_a_template_is_known_by_id_or_name_and_the_official_one_counts(typed, template_id):
    assert match_template(typed, TEMPLATES).id == template_id


def test_a_missing_template_names_the_nearest():
    with pytest.raises(TemplateNotFound, match="pytorch-jupyter"):
        match_template("pytorch-jupiter", TEMPLATES)
    with pytest.raises(TemplateNotFound, match="no template x"):
        match_template("x", ())
