"""The `markdown` block: standard Markdown, without HTML and without pictures from elsewhere."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from bot.sandbox.page.kit.links import is_web


def markdown(text: str) -> Markup:
    return Markup(_parser().render(text))  # noqa: S704 - it escapes what is no Markdown


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    parser.validateLink = is_web  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _link_open)
    return parser


def _link_open(renderer, tokens, index, options, env) -> str:  # type: ignore[no-untyped-def] # noqa: ANN001
    tokens[index].attrSet("target", "_blank")
    tokens[index].attrSet("rel", "noopener noreferrer")
    return str(renderer.renderToken(tokens, index, options, env))
