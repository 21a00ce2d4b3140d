"""Answers that a program can read: a form that vLLM forces while it generates.

    python vllm_examples/06_structured_vllm.py

Each question is answered freely and in three forms: worked, with `#### N` at its end; bare, which
is `#### N` and nothing else; and JSON by a schema, which here is a pydantic model's.
Last line: 400 answers in 2.47 s (162.1 answers/s), answer e43064a6
"""

import time

import regex
import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workshop import llm

WORKED, BARE = r"([^\n#]{1,80}\n){1,3}#### [0-9]{1,3}", "#### [0-9]{1,3}"
WORK = r"[ !#-\[\]-~]{0,60}"  # ASCII without " and \, which JSON would have to escape


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    work: str = Field(pattern=f"^{WORK}$")
    answer: int = Field(ge=0, le=999)


def read(form: str, text: str) -> int | None:
    """The number in an answer that has the form, or None; without a form it should be worked."""
    if form == "JSON":
        try:
            return Answer.model_validate_json(text).answer
        except ValidationError:
            return None
    fits = regex.fullmatch(BARE if form == "bare" else WORKED, text)
    return llm.number(text) if fits else None


def main(prompts: int = 100, tokens: int = 128, model: str = llm.MODEL, seed: int = 42) -> dict:
    """Writes at most TOKENS tokens to each of PROMPTS questions, freely and in three forms."""
    if min(prompts, tokens) < 1:
        raise typer.BadParameter("--prompts and --tokens start at 1")
    llm.prepare(model)
    problems, start = llm.problems(prompts, seed), time.perf_counter()

    from vllm import LLM, SamplingParams  # NEW:
    from vllm.sampling_params import StructuredOutputsParams as Form  # NEW:

    tight = dict(backend="xgrammar", disable_any_whitespace=True)  # NEW: else blanks without end
    engine = LLM(model, structured_outputs_config=tight, **llm.options())  # NEW:
    schema = Answer.model_json_schema()  # NEW:
    forms = dict(free=None, worked=Form(regex=WORKED), bare=Form(regex=BARE))  # NEW:
    forms |= dict(JSON=Form(json=schema))  # NEW:

    def generate(form: str, chats: list) -> list:  # NEW:
        form = forms[form]  # NEW:
        how = SamplingParams(temperature=0, max_tokens=tokens, structured_outputs=form)  # NEW:
        return [one.outputs[0] for one in engine.chat(chats, how, use_tqdm=False)]  # NEW:

    chats, texts, told = llm.chats(problems), {}, {}
    for form in forms:
        generate(form, chats[:1])
    ready = time.perf_counter() - start

    for form in forms:
        start = time.perf_counter()
        written = generate(form, chats)  # NEW:
        seconds = time.perf_counter() - start
        texts[form] = [one.text for one in written]  # NEW:
        count = sum(len(one.token_ids) - (one.finish_reason == "stop") for one in written)  # NEW:
        numbers = [read(form, text) for text in texts[form]]
        parsed = sum(number is not None for number in numbers)
        right = sum(a == b.number for a, b in zip(numbers, problems, strict=True))
        told[form] = dict(parsed=parsed, right=right, tokens=count, seconds=seconds)
        print(f"{form}: {parsed} of {prompts} parse, {right} right, {count / seconds:.0f} tokens/s")

    free_json = sum(read("JSON", text) is not None for text in texts["free"])
    print(f"of the free answers {free_json} parse as JSON; forced: {texts['JSON'][0][:55]}")
    items, seconds = len(forms) * prompts, sum(one["seconds"] for one in told.values())
    rate, answer = items / seconds, llm.digest([text for form in forms for text in texts[form]])
    print(f"ready in {ready:.1f} s")
    print(f"{items} answers in {seconds:.2f} s ({rate:.1f} answers/s), answer {answer}")
    figures = dict(items=items, unit="answers", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, forms=told, texts=texts)


if __name__ == "__main__":
    typer.run(main)
