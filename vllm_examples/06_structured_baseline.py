"""Answers that a program can read: a form forced by hand, token after token, in transformers.

    python vllm_examples/06_structured_baseline.py

Each question is answered freely and in three forms: worked, with `#### N` at its end; bare, which
is `#### N` and nothing else; and JSON. A logits processor leaves only the best token that fits.
Last line: 400 answers in 6.08 s (65.8 answers/s), answer e43064a6
"""

import time

import regex
import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workshop import llm

WORKED, BARE = r"([^\n#]{1,80}\n){1,3}#### [0-9]{1,3}", "#### [0-9]{1,3}"
WORK = r"[ !#-\[\]-~]{0,60}"  # ASCII without " and \, which JSON would have to escape
JSON = rf'\{{"work":"{WORK}","answer":(0|[1-9][0-9]{{0,2}})\}}'


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


def main(
    prompts: int = 100, tokens: int = 128, batch: int = 32, model: str = llm.MODEL, seed: int = 42
) -> dict:
    """Writes at most TOKENS tokens to each of PROMPTS questions, freely and in three forms."""
    if min(prompts, tokens, batch) < 1:
        raise typer.BadParameter("--prompts, --tokens and --batch start at 1")
    llm.prepare(model)
    problems, start = llm.problems(prompts, seed), time.perf_counter()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(llm.threads())
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    network = AutoModelForCausalLM.from_pretrained(model, dtype=llm.dtype()).to(llm.device()).eval()
    given = dict(add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt")
    pieces = [tokenizer.decode([token]) for token in range(network.config.vocab_size)]
    end = tokenizer.eos_token_id
    forms = dict(free=None, worked=WORKED, bare=BARE, JSON=JSON)

    def force(form: str, first: int):
        """A logits processor: what it leaves of the scores is the best token that fits FORM."""
        fits = regex.compile(form).fullmatch

        def best(ids: list[int], ranked: list[int]) -> int:
            if end in ids:
                return end
            text = "".join(pieces[token] for token in ids)
            for token in ranked:
                if fits(text) if token == end else fits(text + pieces[token], partial=True):
                    return token
            raise ValueError(f"no token goes on with {text!r}")

        def processor(written: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            ranked = scores.argsort(descending=True).tolist()
            chosen = [[best(*row)] for row in zip(written[:, first:].tolist(), ranked, strict=True)]
            chosen = torch.tensor(chosen, device=scores.device)
            return torch.full_like(scores, -torch.inf).scatter_(1, chosen, 0)

        return processor

    def generate(form: str, chats: list) -> list[list[int]]:
        asked = tokenizer.apply_chat_template(chats, **given).to(network.device)
        first = asked["input_ids"].shape[1]
        how = dict(logits_processor=[force(forms[form], first)]) if forms[form] else {}
        written = network.generate(**asked, **how, max_new_tokens=tokens, do_sample=False)
        return written[:, first:].tolist()

    chats, texts, told = llm.chats(problems), {}, {}
    for form in forms:
        generate(form, chats[:1])
    ready = time.perf_counter() - start

    for form in forms:
        start = time.perf_counter()
        written = []
        for k in range(0, prompts, batch):
            written += generate(form, chats[k : k + batch])
        seconds = time.perf_counter() - start
        texts[form] = tokenizer.batch_decode(written, skip_special_tokens=True)
        count = sum(token != tokenizer.pad_token_id for row in written for token in row)
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
