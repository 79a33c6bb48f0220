"""What is wrong with a command: said with what was read, and with a command to copy."""

from __future__ import annotations

import pytest

from bot.errors import UsageError
from bot.slack.arguments import parse


def fault_of(text):
    with pytest.raises(UsageError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("delte x", 'There is no verb "delte". Did you mean delete?', "/gpu delete x"),
        ("strat x", "Did you mean start?", "/gpu start x"),
        ("terminate x", "Did you mean delete?", "/gpu delete x"),
        ("reboot", "Did you mean restart?", "/gpu restart"),
        ("sta", "Did you mean status?", "/gpu status"),
        ("zzzzz x", "The verbs are create, list,", "/gpu help"),
        ("4090 x --spot", 'There is no verb "4090".', "/gpu create 4090 x --spot"),
        ("--spot 4090", 'There is no verb "--spot".', "/gpu create 4090 --spot"),
        ("help delte", "Did you mean delete?", "/gpu help delete"),
        ("help 4090", 'There is no verb "4090".', "/gpu help"),
    ],
)
def test_an_unknown_verb_is_answered_with_the_nearest(text, said, hint):
    fault = fault_of(text)
    assert said in str(fault)
    assert fault.hint == hint


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("offer 4090", "Did you mean offers?", "/gpu offers 4090"),
        ("prices", "Did you mean offers?", "/gpu offers"),
        ("gpus --max 1", "Did you mean offers?", "/gpu offers --max 1"),
        ("help stock", "Did you mean offers?", "/gpu help offers"),
        ("offers h100:9", 'from 1 to 8; I read "9"', "/gpu offers h100:8"),
        ("offers :2", "no GPU in", "/gpu offers"),
        ("offers 4090 --max cheap", 'I read "cheap"', "/gpu offers 4090 --max 0.50"),
        ("offers 4090 --max", "only what costs no more", "/gpu offers 4090 --max 0.50"),
        ("offers --budget 2 4090", "Did you mean --max?", "/gpu offers 4090 --max 2"),
        ("offers 4090 --spot", 'no flag "--spot". There is only --max.', "/gpu offers 4090"),
        ("offers --gpu 4090", "The GPU has no flag: write it as it is.", "/gpu offers 4090"),
        ("offers --max 1 --max 2", "--max is there twice", "/gpu offers --max 2"),
        ("offers a&lt;b", '"a<b" has', "/gpu offers ab"),
        (f"offers {'4' * 201}", "at most 200 characters", f"/gpu offers {'4' * 200}"),
    ],
)
def test_offers_are_asked_for_with_a_command_that_buys_nothing(text, said, hint):
    fault = fault_of(text)
    assert said in str(fault)
    assert fault.hint == hint


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("4090 --tempalte x", 'no flag "--tempalte". Did you mean --template?', "4090 --template x"),
        ("4090 --regions=a,b", "Did you mean --region?", "4090 --region a,b"),
        ("4090 --price 2", "Did you mean --max?", "4090 --max 2"),
        ("4090 --force", "Did you mean --yes?", "4090 --yes"),
        ("4090 --frobnicate", "The flags are --template,", "4090"),
        ("4090 --frobnicate 4h train", "The flags are", "4090 train"),
        ("--frobnicate 4090", "The flags are", "4090"),
        ("4090 --frobnicate=4h train", "The flags are", "4090 train"),
        ("4090 --name train", "The name has no flag", "4090 train"),
        ("--gpu=4090", "The GPU has no flag", "4090"),
        ("4090 -", 'no flag "-"', "4090"),
    ],
)
def test_an_unknown_flag_is_answered_with_the_nearest(text, said, hint):
    fault = fault_of(f"create {text}")
    assert said in str(fault)
    assert fault.hint == f"/gpu create {hint}"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("4090:0", 'from 1 to 8; I read "0"', "4090:1"),
        ("4090:9", 'from 1 to 8; I read "9"', "4090:8"),
        ("4090:two", 'I read "two"', "4090:1"),
        ("4090:", 'I read ""', "4090:1"),
        ("4090:２", 'I read "２"', "4090:1"),
        (f"4090:{'9' * 50}", "from 1 to 8", "4090:1"),
        ("4090 --disk 9", '10 to 6144 GB; I read "9"', "4090 --disk 10"),
        ("4090 --disk 6145", '10 to 6144 GB; I read "6145"', "4090 --disk 6144"),
        ("4090 --disk big", 'whole number of GB, such as 80; I read "big"', "4090 --disk 80"),
        ("4090 --max 0,5", 'such as 0.50; I read "0,5"', "4090 --max 0.5"),
        ("4090 --max cheap", 'I read "cheap"', "4090 --max 0.50"),
        ("4090 --max 1e3", 'I read "1e3"', "4090 --max 0.50"),
        ("4090 --max 0", 'above 0 and at most 1000 dollars per hour; I read "0"', "4090 --max 0.50"),
        ("4090 --max=-5", 'I read "-5"', "4090 --max 0.50"),
        ("4090 --max 1000.01", "at most 1000", "4090 --max 0.50"),
    ],
)
def test_a_bad_number_is_answered_with_the_nearest_good_one(text, said, hint):
    fault = fault_of(f"create {text}")
    assert said in str(fault)
    assert fault.hint == f"/gpu create {hint}"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("4090 my_train", '1 to 40 letters a to z, digits and dashes; I read "my_train"', "4090 my-train"),
        (f"4090 {'x' * 41}", "1 to 40", f"4090 {'x' * 40}"),
        ("4090 Übung", "1 to 40", "4090 bung"),
        ("4090 ***", "1 to 40", "4090"),
        ("4090 train --image 'a b'", '"a b" is not an image', "4090 train --image pytorch/pytorch:latest"),
        (f"4090 --image {'x' * 501}", "is not an image", "4090 --image pytorch/pytorch:latest"),
        (f"4090 --template {'x' * 256}", "at most 255 characters; I read 256", "4090 --template pytorch"),
        ("4090 --template a&lt;b", '"a<b" has', "4090 --template ab"),
        ("4090 --region ,,", '",," is not a region', "4090 --region US-CA-06"),
        ("4090 --region a*b", '"a*b" is not a region', "4090 --region US-CA-06"),
        (f"4090 --region {'x' * 61}", "is not a region", "4090 --region US-CA-06"),
        (f"4090 --region {','.join(map(str, range(11)))}", "At most 10 regions", "4090 --region US-CA-06"),
        ("--webhook example.com/x 4090", "begins with https://", "4090 --webhook https://example.com/x"),
        ("4090 --webhook ftp://example.com", "begins with", "4090 --webhook https://example.com/hook"),
        ("4090 --webhook https://", "names a host", "4090 --webhook https://example.com/hook"),
        ("4090 --webhook http://[", "names a host", "4090 --webhook https://example.com/hook"),
        ("4090 --webhook http://a:b", "names a host", "4090 --webhook https://example.com/hook"),
        (
            "4090 --webhook https://me:pw@example.com",
            "a user or a password",
            "4090 --webhook https://example.com/hook",
        ),
        (f"4090 --webhook https://a/{'x' * 2000}", "at most 2000", "4090 --webhook https://example.com/hook"),
        ("4090&gt;24", '"4090>24" has', "409024"),
        (f"{'4' * 201}", "at most 200 characters; I read 201", "4" * 200),
        (":2", "no GPU in", None),
    ],
)
def test_a_bad_value_is_answered_with_a_good_one(text, said, hint):
    fault = fault_of(f"create {text}")
    assert said in str(fault)
    assert fault.hint == ("/gpu create" if hint is None else f"/gpu create {hint}")


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("4090 --disk 80 --disk 90", "--disk is there twice", "4090 --disk 90"),
        ("4090 --spot t --spot", "--spot is there twice", "4090 t --spot"),
        ("4090 --region a --spot --region b", "--region is there twice", "4090 --spot --region a,b"),
        ("4090 --template a --image b", "--template and --image exclude each other", "4090 --template a"),
        ("4090 --on-demand --spot", "--on-demand and --spot exclude each other", "4090 --on-demand"),
        ("4090 --template", "--template needs a value: a template's name or id", "4090 --template pytorch"),
        ("4090 --template= --spot", "--template needs a value", "4090 --template pytorch --spot"),
        ("4090 --max --spot", "--max needs a value", "4090 --spot --max 0.50"),
        ("4090 --yes=no", '--yes takes no value; I read "--yes=no"', "4090 --yes"),
    ],
)
def test_flags_that_do_not_go_together_are_named(text, said, hint):
    fault = fault_of(f"create {text}")
    assert said in str(fault)
    assert parse(fault.hint) == parse(f"/gpu create {hint}")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("RTX 4090 24GB", '"RTX 4090 24GB"'),
        ("RTX 4090 24GB:2 --spot", '"RTX 4090 24GB:2" --spot'),
        ("RTX --spot 4090 24GB train", '"RTX 4090 24GB" train --spot'),
        ("RTX 4090:2", '"RTX 4090:2"'),
        ("h100 :2", '"h100:2"'),
        ("-- RTX 4090 24GB train", '"RTX 4090 24GB" train'),
    ],
)
def test_a_gpu_with_spaces_is_put_in_quotes(text, hint):
    fault = fault_of(f"create {text}")
    assert "quotation marks" in str(fault)
    assert parse(fault.hint) == parse(f"create {hint}")


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("stop a b", 'stop takes one name at a time; I read "a b"', "/gpu stop a"),
        ('stop "my train"', '"my train" cannot be the name', "/gpu stop my-train"),
        (f"stop {'x' * 101}", "cannot be the name", f"/gpu stop {'x' * 100}"),
        ("stop &lt;&gt;", "cannot be the name", "/gpu help stop"),
        ("delete x --force", 'delete has no flags; I read "--force"', "/gpu delete x"),
        ("delete --all", 'delete has no flags; I read "--all"', "/gpu help delete"),
        ("stop --x -- -y", "stop has no flags", "/gpu stop -- -y"),
        ("list foo", 'the word all, or nothing; I read "foo"', "/gpu list all"),
        ("list --all", 'list has no flags; I read "--all"', "/gpu list all"),
        ("list all all", "the word all, or nothing", "/gpu list all"),
        ('create "RTX 4090', "A quotation mark has no partner", '/gpu create "RTX 4090"'),
        ("create 4090 don’t", "A quotation mark has no partner", "/gpu create 4090 dont"),
        ('create "RTX 4090 24GB train --spot', "has no partner", '/gpu create "RTX 4090 24GB" train --spot'),
        ('/gpu create "4090', "A quotation mark has no partner", "/gpu create 4090"),
        ('"', "A quotation mark has no partner", "/gpu"),
    ],
)
def test_words_that_cannot_be_read_are_repeated(text, said, hint):
    fault = fault_of(text)
    assert said in str(fault)
    assert fault.hint == hint


def test_a_text_that_is_too_long_is_not_read():
    fault = fault_of("create " + "x" * 10_000)
    assert "That is too long: 10007 characters" in str(fault)
    assert fault.hint == "/gpu help"


def test_a_text_of_too_many_words_is_not_read():
    fault = fault_of("create " + "x " * 60)
    assert "That is too long: 61 words" in str(fault)
    assert fault.hint == "/gpu help"


def test_a_text_with_too_many_faults_gets_an_example():
    fault = fault_of("create " + " ".join(f"--q{number}" for number in range(40)))
    assert fault.hint == "/gpu create 4090 my-train --template pytorch"


def test_what_was_read_is_repeated_in_short():
    fault = fault_of(f"create 4090 {'ü' * 3000}")
    assert len(str(fault)) < 200
