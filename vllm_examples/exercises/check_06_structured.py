import json

from workshop import llm

GOOD = [
    dict(item="pens", count=12, gift=False),
    dict(item="cookies", count=99, gift=False),
    dict(item="books", count=1, gift=True),
]
BAD = {
    "an item that is not in ITEMS": dict(item="cars", count=2, gift=True),
    "a count of 0": dict(item="pens", count=0, gift=True),
    "a count of 100": dict(item="pens", count=100, gift=True),
    "a count in quotes": dict(item="pens", count="2", gift=True),
    'gift as "yes"': dict(item="pens", count=2, gift="yes"),
    "an order without gift": dict(item="pens", count=2),
    "an order without count": dict(item="pens", gift=True),
    "another field": dict(item="pens", count=2, gift=True, note="now"),
}


def grammar(form):
    """The grammar that vLLM makes of the form, and a tokenizer's end."""
    import xgrammar
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(llm.MODEL)
    compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo.from_huggingface(words))
    if form.json is not None:
        text = form.json if isinstance(form.json, str) else json.dumps(form.json)
        return compiler.compile_json_schema(text, any_whitespace=True)
    if form.regex is not None:
        return compiler.compile_regex(form.regex)
    if form.choice is not None:
        return compiler.compile_regex("|".join(map(escaped, form.choice)))
    assert form.grammar is not None, "any JSON object will do: say which, with json="
    return compiler.compile_grammar(form.grammar)


def escaped(text: str) -> str:
    return "".join("\\" + one if one in r'\{}[]().*+?|^$"' else one for one in text)


def fits(compiled, text: str) -> bool:
    import xgrammar

    matcher = xgrammar.GrammarMatcher(compiled)
    return matcher.accept_string(text) and matcher.is_completed()


def check(attempt) -> str:
    params = attempt.order()
    from vllm import SamplingParams

    assert isinstance(params, SamplingParams), "order() does not return SamplingParams"
    form = params.structured_outputs
    assert form is not None, "nothing forces the form: structured_outputs"
    assert params.temperature == 0, "it is not greedy: temperature=0"
    compiled = grammar(form)
    for good in GOOD:
        for separators in ((", ", ": "), (",", ":")):
            text = json.dumps(good, separators=separators)
            if fits(compiled, text):
                break
        else:
            raise AssertionError(f"the form does not admit {json.dumps(good)}")
    for what, bad in BAD.items():
        texts = [json.dumps(bad, separators=some) for some in ((", ", ": "), (",", ":"))]
        assert not any(fits(compiled, text) for text in texts), f"the form admits {what}"
    assert not fits(compiled, "12 pens"), "the form admits what is no JSON"
    longest = max(len(json.dumps(good)) for good in GOOD) + 1  # and the end
    assert params.max_tokens and params.max_tokens >= longest, (
        f"{params.max_tokens} tokens may end in the middle of an order: {longest} hold the longest"
    )
    return "what it admits is an order, and there is room for all of it"
