"""Writes what transformers makes of the test conversations: src/test/resources/io/plora/model/chat/expected.json.

Each folder beside conversations.json is a model folder cut down to its chat template. Every template renders every
conversation with and without generation prompt; where the template refuses a conversation, its message is kept.

    python render_chat_templates.py            # with transformers
    python render_chat_templates.py --jinja2   # with jinja2 set up as transformers sets it up, where transformers is missing
"""

import argparse
import datetime
import json
from pathlib import Path

import jinja2
import jinja2.ext
import jinja2.sandbox

CORE = Path(__file__).resolve().parents[3]
CHAT = CORE / "src/test/resources/io/plora/model/chat"
BUNDLED = CORE.parent / "plora-examples/models"
TODAY = datetime.datetime(2026, 3, 9, 12, 0, 0)


class FixedDate(datetime.datetime):
    """Stands in for the clock that strftime_now reads."""

    @classmethod
    def now(cls, tz=None):
        return TODAY


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def token_text(token):
    return token["content"] if isinstance(token, dict) else token


def read_template(folder):
    """Template and special tokens of a model folder."""
    config = read_json(folder / "tokenizer_config.json")
    file = folder / "chat_template.jinja"
    template = file.read_text(encoding="utf-8") if file.exists() else config["chat_template"]
    if isinstance(template, list):
        template = {entry["name"]: entry["template"] for entry in template}["default"]
    tokens = {name: token_text(config[name]) for name in ("bos_token", "eos_token") if config.get(name)}
    return template, tokens


def transformers_renderer():
    import transformers
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers.utils import chat_template_utils

    chat_template_utils.datetime = FixedDate

    def render(template, tokens, messages, add_generation_prompt):
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(WordLevel()), chat_template=template, **tokens
        )
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=add_generation_prompt)

    return f"transformers {transformers.__version__}", render


class GenerationBlock(jinja2.ext.Extension):
    """The block around what the assistant says; it only marks, so its body is rendered as it is."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def jinja2_renderer():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = TODAY.strftime

    def render(template, tokens, messages, add_generation_prompt):
        return environment.from_string(template).render(
            messages=messages, tools=None, documents=None, add_generation_prompt=add_generation_prompt, **tokens
        )

    return f"jinja2 {jinja2.__version__}, set up as transformers does", render


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--jinja2", action="store_true", help="render with jinja2 alone")
    name, render = jinja2_renderer() if arguments.parse_args().jinja2 else transformers_renderer()

    conversations = json.loads((CHAT / "conversations.json").read_text(encoding="utf-8"))
    folders = sorted(path for path in [*CHAT.iterdir(), BUNDLED / "tiny-qwen2"] if path.is_dir())
    renderings = []
    for folder in folders:
        template, tokens = read_template(folder)
        for conversation in conversations:
            for add_generation_prompt in (False, True):
                rendering = {
                    "template": folder.name,
                    "conversation": conversation["name"],
                    "add_generation_prompt": add_generation_prompt,
                }
                try:
                    rendering["text"] = render(template, tokens, conversation["messages"], add_generation_prompt)
                except jinja2.exceptions.TemplateError as error:
                    rendering["error"] = error.message
                renderings.append(rendering)
    expected = {"renderer": name, "today": TODAY.date().isoformat(), "renderings": renderings}
    (CHAT / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
